//! What all upstreams offer, merged, under the names the client sees. Pure: no I/O.

pub mod name;
