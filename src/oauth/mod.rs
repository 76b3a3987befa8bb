//! Signing in to upstreams: what they ask for and where it can be had, what is kept of a login,
//! and who may change it.
//!
//! [`Challenges`] reads what a 401 or 403 says, [`discover`] finds the authorization server.
//! What a server says of itself is used only after it was checked: an address is an
//! [`EndpointUrl`], an authorization server's name an [`Issuer`]. A [`Store`] keeps [`Tokens`]
//! and a [`Client`] on disk, where any number of processes share them.

mod address;
mod candidates;
mod challenge;
mod discovery;
mod document;
mod error;
mod lock;
mod metadata;
mod store;
mod tokens;
mod well_known;

pub use address::{EndpointUrl, Issuer, canonical_resource};
pub use challenge::{Challenge, Challenges};
pub use discovery::{Discovered, Question, Source, discover};
pub use error::{Attempt, OAuthError};
pub use lock::Lock;
pub use metadata::{AuthorizationServer, Features, MetadataError, ProtectedResource};

pub use store::{Record, Slot, Snapshot, Store, StoreError, Swap, Task, Version, home};
pub use tokens::{Client, Grant, Members, Timestamp, Tokens};
pub use well_known::{authorization_server_urls, protected_resource_urls};
