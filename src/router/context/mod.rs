//! What a request finds around it.

pub(crate) mod capabilities;
