//! One stdio MCP server in front of many remote ones.
//!
//! A module uses only the modules declared above it, and `sync` and `random`; `tests/architecture/` checks this.

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
