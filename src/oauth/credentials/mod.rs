//! Tokens that are got without a person: renewed, or granted to the client itself.

pub(super) mod client_registration;
pub(super) mod machine_grants;
pub(super) mod renewal;
pub(super) mod server_discovery;
pub(super) mod token_request;
