//! Tests of the binary as a client starts it: over pipes, with real servers of every kind.

// A failure here is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cache;
mod call_errors;
mod call_retries;
mod calls;
mod cancellation;
mod catalog;
mod commands;
mod config_examples;
mod downstream;
mod downstream_io;
mod extensions;
mod faults;
mod initialize;
mod limits;
mod lines;
mod log_safety;
mod logging;
mod network;
mod notifications;
mod offers;
mod reconnect;
mod reload;
mod server_requests;
mod shutdown;
mod stderr_logs;
mod subscriptions;
mod tasks;
mod transports;
mod two_clients;
mod unreachable;
mod unread_stdout;
