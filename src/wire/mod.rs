//! JSON-RPC messages as text, and the formats that carry them. Pure: no I/O.

mod envelope;
pub mod message;
pub mod outgoing;
pub(crate) mod skip;
pub mod splice;
pub mod sse;

pub use message::{MalformedMessage, Message, MessageKind};
pub use outgoing::Line;
pub use splice::{Member, Splice, members};
