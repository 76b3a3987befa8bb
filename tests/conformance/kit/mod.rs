//! The servers that the tests stand on do what they promise, asked by plain clients.

mod oauth;
mod servers;
mod upstreams;
