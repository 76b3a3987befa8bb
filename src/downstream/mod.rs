//! The client's side: sessions, each on a pair of streams, of which stdin and stdout are one.

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
