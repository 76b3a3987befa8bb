//! Server requests to the client (elicitation, sampling, roots) for each pairing of eras.
//!
//! The tests cover forwarding, suspended calls, multi round-trip requests, timeouts, limits and lost
//! connections.

mod cancellation;
mod client_notifications;
mod forwarding;
pub(crate) mod helpers;
mod limits;
mod multi_round_trip;
mod multi_round_trip_ends;
mod request_state;
mod sessions;
mod standalone_streams;
mod suspension;
mod suspension_ends;
mod timeouts;
mod url_elicitation;
