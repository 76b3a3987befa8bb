//! Tests of the test servers in `testkit`, with plain clients.

mod oauth;
mod servers;
mod upstreams;
