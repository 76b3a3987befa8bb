//! Signing in to upstreams: what they ask for, where it can be had, and what is kept of it.
//!
//! [`Challenges`] reads what a 401 or 403 says, [`discover`] finds the authorization server.
//! What a server says of itself is used only after it was checked: an address is an
//! [`EndpointUrl`], an authorization server's name an [`Issuer`].

mod address;
mod candidates;
mod challenge;
mod discovery;
mod document;
mod error;
mod metadata;
mod secret;
mod tokens;
mod well_known;

pub use address::{EndpointUrl, Issuer, canonical_resource};
pub use challenge::{Challenge, Challenges};
pub use discovery::{Discovered, Question, Source, discover};
pub use error::{Attempt, OAuthError};
pub use metadata::{AuthorizationServer, Features, MetadataError, Pkce, ProtectedResource};
pub use secret::{Secret, exposed};
pub use tokens::{Client, Grant, Members, Timestamp, Tokens};
pub use well_known::{authorization_server_urls, protected_resource_urls};
