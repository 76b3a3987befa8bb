//! Sign-in with the whole proxy: a strict authorization server, a scripted browser, and every kind
//! of upstream.

mod basics;
mod headless;
mod processes;
mod renewals;
mod scopes;
mod setup;
mod upstreams;
mod user;
