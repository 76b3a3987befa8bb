//! One stdio MCP server in front of many remote ones.
//!
//! A message passes the modules in the order in which they stand here, and each uses only
//! those before it; `tests/architecture/` holds that. Each may use `sync` and
//! `random`.

mod random;
mod sync;

pub mod wire;

pub mod protocol;

pub mod config;

pub mod net;

pub mod disk;

pub mod oauth;

pub mod upstream;

pub mod catalog;

pub mod router;

pub mod downstream;

pub mod cli;
