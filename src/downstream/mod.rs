//! The client's side: one session on stdin and stdout, or on any other two streams.

mod era;
mod greeting;
mod serve;
mod session;
mod stdin;
mod stdio;
mod stdout;

pub use serve::serve;
pub use session::Session;
pub use stdin::{Read, Stdin};
pub use stdio::{open_stdout, stdout_closed};
pub use stdout::write_lines;
