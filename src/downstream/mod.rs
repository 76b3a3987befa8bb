//! The client's side: sessions, each on a pair of streams, of which stdin and stdout are one.

mod client_connection;
mod era;
mod greeting;
mod line_reader;
mod line_writer;
mod session;
mod stdio;

pub use client_connection::{ClientConnection, Departure};
pub use line_reader::{LineReader, Read};
pub use stdio::{Sink, Source, open_stdin, open_stdout, stdout_closed};
