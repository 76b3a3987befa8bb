//! Obtains tokens without the user: by renewal, or by a grant to the client itself.
//!
//! Every function works on one [`CredentialContext`](context::CredentialContext), which no other
//! part of the program changes.

pub(in crate::oauth) mod client_registration;
pub(in crate::oauth) mod context;
pub(in crate::oauth) mod demand;
pub(in crate::oauth) mod machine_grants;
pub(in crate::oauth) mod renewal;
pub(in crate::oauth) mod server_discovery;
pub(in crate::oauth) mod token_request;
