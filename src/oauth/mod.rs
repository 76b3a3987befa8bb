//! Signing in to upstreams: what they ask for and where it can be had, what is kept of a login,
//! and who may change it.
//!
//! [`Challenges`] reads what a 401 or 403 says, [`discover`] finds the authorization server.
//! What a server says of itself is used only after it was checked: an address is an
//! [`EndpointUrl`], an authorization server's name an [`Issuer`]. An [`AuthorizationRequest`] is
//! where a person signs in, an [`Authority`] gets tokens for that or in another way. A [`Store`] keeps [`Tokens`]
//! and a [`Client`] on disk, where any number of processes share them.
//!
//! A [`Pending`] login waits for a person: a [`Browser`] shows the page, a [`Callback`] takes the
//! [`AuthorizationResponse`], which is forged until proved otherwise.

mod address;
mod authority;
mod authorizer;
mod browser;
mod callback;
mod candidates;
mod challenge;
mod credential;
mod discovery;
mod document;
mod dpop;
mod error;
mod id_assertion;
mod known;
mod lock;
mod login_error;
mod logins;
mod metadata;
mod pending;
mod request;
mod response;
mod scope;
mod sign_in;
mod signing;
mod store;
mod tokens;
mod well_known;

pub use address::{EndpointUrl, Issuer, canonical_resource};
pub use authority::{Authority, DeviceAuthorization, Registration, TokenError, register};
pub use authorizer::{Authorizer, LoggedOut, LoginState, Manner, Mark, Status, Surroundings};
pub use browser::Browser;
pub use callback::{Arrival, Callback, Page, Place};
pub use challenge::{Challenge, Challenges};
pub use credential::Credential;
pub use discovery::{Discovered, Question, Source, discover};
pub use dpop::{DPOP, DPOP_ALGORITHM, DpopKey};
pub use error::{Attempt, OAuthError};
pub use id_assertion::{IdentityProvider, id_assertion};
pub use lock::Lock;
pub use login_error::LoginError;
pub use metadata::{AuthorizationServer, Features, MetadataError, ProtectedResource};
pub use pending::Pending;
pub use request::{AuthorizationRequest, Parameters};
pub use response::AuthorizationResponse;
pub use sign_in::{Needed, SignInError};
pub use signing::{KeyError, SigningKey};
pub use store::{Record, Slot, Snapshot, Store, StoreError, Swap, Task, Version, home};
pub use tokens::{Client, Grant, Members, Timestamp, Tokens};
pub use well_known::{authorization_server_urls, protected_resource_urls};
