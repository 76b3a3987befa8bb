//! The shape of `src/` and the language of the project.
//!
//! The tests say which file may use which, how long files are, and which words pages, comments and names use.
//!
//! A rule with exceptions has a list of them (see [`ratchet`]).

#![allow(clippy::unwrap_used, clippy::panic)]

mod arrows;
mod circles;
mod code;
mod comments;
mod conduct;
mod docs;
mod fixture;
mod graph;
mod items;
mod messages;
mod pages;
mod prose;
mod ratchet;
mod rooms;
mod sizes;
mod source;
mod stages;
mod targets;
mod tree;
mod use_tree;
mod words;
