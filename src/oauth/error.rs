//! Errors of discovery, each with its remedy.

use std::fmt;

/// The longest quotation of a server's text in a message, in characters.
const SHOWN_CHARS: usize = 120;

/// Why no authorization server was found. The texts follow the upstream's name; the remedy follows
/// a semicolon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// A document names an address that must not be used.
    #[error("`{member}` is `{}`, {fault}; report this to the server's operator", printable(.text))]
    Address {
        /// The member, or the parameter of the challenge.
        member: &'static str,
        /// The address as written.
        text: String,
        /// The fault of the address, as a clause.
        fault: &'static str,
    },
    /// There is no metadata of the upstream or of its authorization server.
    #[error(
        "the server requires a sign-in, but publishes no metadata about it ({}); \
         put a token into `headers`, or set `oauth.authorization_server`",
        join_attempts(.tried)
    )]
    NotFound {
        /// The addresses that were tried.
        tried: Vec<Attempt>,
    },
    /// The resource metadata names no authorization server.
    #[error(
        "the resource metadata names no authorization server; set `oauth.authorization_server`"
    )]
    NoAuthorizationServer,
    /// A document is temporarily unavailable.
    #[error("cannot read {attempt}; try again later")]
    Unreachable {
        /// The address, and what happened.
        attempt: Attempt,
    },
    /// A document is malformed.
    #[error("cannot use {attempt}; report this to the server's operator")]
    Malformed {
        /// The address, and what is wrong.
        attempt: Attempt,
    },
    /// The resource metadata is for another resource (RFC 9728 § 3.3).
    #[error(
        "the resource metadata is for `{}` instead of `{upstream}`; configure that url if you trust it",
        printable(.found)
    )]
    ResourceMismatch {
        /// The `resource` in the metadata.
        found: String,
        /// The upstream's resource identifier.
        upstream: String,
    },
    /// The metadata names another issuer (RFC 8414 § 3.3).
    #[error(
        "the authorization server `{}` calls itself `{}`; \
         set `oauth.authorization_server` to that if you trust it",
        printable(.expected), printable(.found)
    )]
    IssuerMismatch {
        /// The requested issuer.
        expected: String,
        /// The `issuer` in the metadata.
        found: String,
    },
    /// The server does not advertise PKCE with S256 (MCP 2026-07-28 § Authorization Code
    /// Protection).
    #[error(
        "the authorization server `{}` does not advertise PKCE with `S256`, \
         without which a sign-in could be stolen; report this to the server's operator",
        printable(.issuer)
    )]
    NoPkce {
        /// The authorization server.
        issuer: String,
    },
    /// The server has no authorization endpoint.
    #[error(
        "the authorization server `{}` has no sign-in page; set `oauth.grant` to a grant that it supports",
        printable(.issuer)
    )]
    NoSignInPage {
        /// The authorization server.
        issuer: String,
    },
}

impl DiscoveryError {
    /// Returns the error for a server without metadata that has no registration endpoint at `url`
    /// either.
    pub(super) fn no_registration(url: String) -> Self {
        let outcome = "no client registration".to_owned();
        Self::NotFound {
            tried: vec![Attempt { url, outcome }],
        }
    }

    /// Returns `true` if discovery may succeed later, without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// A failed request for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address, without query.
    pub url: String,
    /// The result, as a clause.
    pub outcome: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", printable(&self.url), self.outcome)
    }
}

fn join_attempts(tried: &[Attempt]) -> String {
    let all: Vec<_> = tried.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// Returns a server's text in a form safe for one line of a terminal. The result is printable ASCII
/// without backticks, and limited in length.
pub(super) fn printable(text: &str) -> String {
    let plain = |c: char| match c {
        ' '..='~' if c != '`' => c,
        _ => '?',
    };
    let start: String = text.chars().take(SHOWN_CHARS).map(plain).collect();
    match text.chars().nth(SHOWN_CHARS) {
        Some(_) => start + "…",
        None => start,
    }
}
