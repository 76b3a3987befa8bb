//! JSON-RPC messages as they stand on the wire, and the text formats around them. Pure: no I/O.

mod envelope;
pub mod level;
pub mod message;
pub mod outgoing;
pub mod splice;
pub mod sse;
pub mod version;

pub use level::Level;
pub use message::{Kind, Malformed, Message};
pub use outgoing::Line;
pub use splice::{Member, Splice, members};
pub use version::Era;
