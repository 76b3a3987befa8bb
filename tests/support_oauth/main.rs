//! The tests' authorization server refuses what it must, asked by a plain client.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;
