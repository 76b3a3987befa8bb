//! Sign-in: its parts on their own, and the binary with a strict authorization server.

// A panic here is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod callback;
mod discovery;
#[cfg(target_os = "linux")]
mod end_to_end;
mod grants;
mod security;
mod store;
