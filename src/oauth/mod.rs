//! OAuth sign-in to upstreams: discovery, token requests, storage, and the user's login.
//!
//! An [`Authorizer`] authorizes the requests of one upstream with a [`Credential`]; the other
//! modules serve it:
//!
//! - [`Challenges`] reads a 401 or 403, [`discover`] finds the authorization server.
//! - An address from a document is used only as a checked [`EndpointUrl`], a server's identifier
//!   only as a checked [`Issuer`].
//! - An [`AuthorizationRequest`] is a sign-in page; an [`Authority`] (one client at one
//!   authorization server) requests tokens.
//! - A [`Store`] keeps [`Tokens`] and [`ClientInformation`] on disk, shared by all processes.
//! - A [`PendingLogin`] waits for the user: a [`Browser`] opens the page, a [`CallbackListener`]
//!   receives the [`AuthorizationResponse`]. The response counts as forged until checked.

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
pub use authority::id_assertion::request_id_assertion;
pub use authority::request::{AuthorizationParameters, AuthorizationRequest};
pub use authority::signing::{KeyError, SigningKey};
pub use authority::{Authority, ClientMetadata, DeviceAuthorization, TokenError, register};
pub use authorizer::{AuthContext, Authorizer, CredentialStatus, LogoutOutcome};
pub use credential::Credential;
pub use discovery::challenge::{Challenge, Challenges};
pub use discovery::metadata::{AuthorizationServer, Features, MetadataError, ProtectedResource};
pub use discovery::well_known::{authorization_server_urls, protected_resource_urls};
pub use discovery::{Discovered, DiscoveryRequest, MetadataSource, discover};
pub use error::{Attempt, DiscoveryError};
pub use login::browser::Browser;
pub use login::callback::{CallbackListener, CallbackRequest, Page, RedirectAddress};
pub use login::login_error::LoginError;
pub use login::pending::PendingLogin;
pub use login::response::AuthorizationResponse;
pub use login_flow::state::{LoginMode, LoginState, TokenVersion};
pub use sign_in::{SignInError, SignInRequired};
pub use store::{LockKind, Record, RecordFile, Snapshot, Store, StoreError, Swap, Version};
pub use tokens::{ClientInformation, Members, Timestamp, TokenResponse, Tokens};
