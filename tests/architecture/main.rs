//! The shape of `src/`: which file may use which, what some of them must not know, and how long they are.
//!
//! A rule that does not hold everywhere yet has a list of its exceptions (see [`ratchet`]).

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
