//! Conformance: every revision in every pairing, the official SDK, the official schemas, and bytes
//! that pass unchanged. Tests of `testkit` itself run here too.

// A panic here is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod any_json;
mod bytes;
mod eras;
mod event_streams;
mod kit;
mod official;
mod pairing;
mod schema;
mod translation;
mod typed_path;
