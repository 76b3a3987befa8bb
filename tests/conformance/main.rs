//! What the specification and other programs' messages ask: every revision in every pairing, the official
//! SDK and the official schemas, and bytes that pass unchanged. The servers of `testkit` are asked as well.

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
