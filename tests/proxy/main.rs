//! The proxy as its clients start it: the binary, over pipes, before servers of every kind.

// A failure here is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod asking;
mod cache;
mod calls;
mod cancellation;
mod catalog;
mod commands;
mod config_examples;
mod delivery;
mod downstream;
mod downstream_io;
mod extensions;
mod failure;
mod faults;
mod greeting;
mod limits;
mod lines;
mod log_safety;
mod logging;
mod logs;
mod network;
mod notifications;
mod offers;
mod reconnect;
mod reload;
mod shutdown;
mod subscriptions;
mod tasks;
mod transports;
mod two_clients;
mod unreachable;
mod unread;
