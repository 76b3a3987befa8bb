//! The servers behind us: how each is reached, and what the way there asks of a message.

pub mod mirror;
