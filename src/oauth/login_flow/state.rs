//! How logins start, the state of one, and the token that it replaces.

use crate::config::Secret;
use crate::oauth::sign_in::{SignInError, SignInRequired};

/// How logins start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginMode {
    /// In the background, when an upstream requires one; the configuration limits how often.
    #[default]
    Background,
    /// By a command of a user who is present.
    Command {
        /// Whether to open a browser.
        browser: bool,
        /// Whether the user signs in on another device (RFC 8628).
        device: bool,
    },
    /// Never: stored tokens are used and renewed.
    Never,
}

/// The state of this process's login.
#[derive(Debug, Clone, Default)]
pub enum LoginState {
    /// No login runs; the last one, if any, succeeded.
    #[default]
    Idle,
    /// The sign-in page is being discovered.
    Preparing,
    /// The user has to do this.
    Waiting(SignInRequired),
    /// The last login failed.
    Failed(SignInError),
}

/// The token in use at some time.
#[derive(Debug, Clone)]
pub struct TokenVersion(pub(in crate::oauth) Option<Secret>);
