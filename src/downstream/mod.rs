//! The client side: sessions with MCP clients, each on a pair of streams such as stdin and stdout.

mod client_connection;
mod era;
mod initialize;
mod line_reader;
mod line_writer;
mod session;
mod stdio;

pub use client_connection::{ClientConnection, DisconnectReason};
pub use line_reader::{LineRead, LineReader};
pub use stdio::{Sink, Source, open_stdin, open_stdout, stdout_closed};
