//! Signing in to upstreams: what they ask for and where it can be had, what is kept of a login,
//! and who may change it.
//!
//! An [`Authorizer`] signs the requests of one upstream with a [`Credential`]; the rest is what
//! it goes by.
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
mod credential;
mod credentials;
mod discovery;
mod error;
mod login;
mod login_flow;
mod scope;
mod sign_in;
mod store;
mod tokens;

pub use address::{EndpointUrl, Issuer, canonical_resource};
pub use authority::dpop::{DPOP, DPOP_ALGORITHM, DpopKey};
pub use authority::id_assertion::id_assertion;
pub use authority::request::{AuthorizationRequest, Parameters};
pub use authority::signing::{KeyError, SigningKey};
pub use authority::{Authority, DeviceAuthorization, Registration, TokenError, register};
pub use authorizer::{AuthContext, Authorizer, LoggedOut, Status};
pub use credential::Credential;
pub use discovery::challenge::{Challenge, Challenges};
pub use discovery::metadata::{AuthorizationServer, Features, MetadataError, ProtectedResource};
pub use discovery::well_known::{authorization_server_urls, protected_resource_urls};
pub use discovery::{Discovered, Question, Source, discover};
pub use error::{Attempt, OAuthError};
pub use login::browser::Browser;
pub use login::callback::{Callback, CallbackRequest, Page, RedirectAddress};
pub use login::login_error::LoginError;
pub use login::pending::Pending;
pub use login::response::AuthorizationResponse;
pub use login_flow::state::{LoginMode, LoginState, TokenVersion};
pub use sign_in::{SignInError, SignInRequired};
pub use store::{Record, RecordFile, Snapshot, Store, StoreError, Swap, Task, Version};
pub use tokens::{Client, Grant, Members, Timestamp, Tokens};
