//! Tokens that are got without a person: renewed, or granted to the client itself.
//!
//! The functions work on one [`CredentialContext`](context::CredentialContext), which no other part of the
//! program changes.

pub(in crate::oauth) mod client_registration;
pub(in crate::oauth) mod context;
pub(in crate::oauth) mod demand;
pub(in crate::oauth) mod machine_grants;
pub(in crate::oauth) mod renewal;
pub(in crate::oauth) mod server_discovery;
pub(in crate::oauth) mod token_request;
