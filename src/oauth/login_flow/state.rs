//! How logins begin, where one stands, and which token it is to replace.

use crate::config::Secret;
use crate::oauth::sign_in::{SignInError, SignInRequired};

/// How logins begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginMode {
    /// By themselves, when an upstream asks for one: as seldom as the configuration says.
    #[default]
    Background,
    /// Because somebody said so, who is there to finish it.
    Command {
        /// Whether to open a browser.
        browser: bool,
        /// Whether the browser is on another device (RFC 8628).
        device: bool,
    },
    /// Not at all: what is stored is used, and renewed.
    Never,
}

/// Where a login of this process stands.
#[derive(Debug, Clone, Default)]
pub enum LoginState {
    /// There is none, or the last one got tokens.
    #[default]
    Idle,
    /// It is being found out where a person has to go.
    Preparing,
    /// A person has to do this.
    Waiting(SignInRequired),
    /// The last one got no tokens.
    Failed(SignInError),
}

/// Which token was in use at some time.
#[derive(Debug, Clone)]
pub struct TokenVersion(pub(in crate::oauth) Option<Secret>);
