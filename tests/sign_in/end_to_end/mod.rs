//! Signing in, by the proxy itself: against a strict authorization server, with a person at a
//! browser and every kind of upstream.

mod basics;
mod headless;
mod processes;
mod renewals;
mod scopes;
mod setup;
mod upstreams;
mod user;
