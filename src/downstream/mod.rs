//! The client's side: one session on stdin and stdout.

mod era;
mod greeting;
mod session;
mod stdin;
mod stdio;
mod stdout;

pub use session::Session;
pub use stdin::{Read, Stdin};
pub use stdio::{open_stdout, stdout_closed};
pub use stdout::write_lines;
