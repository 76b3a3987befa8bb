//! What can go wrong on the way to a token, each with what to do about it.

use std::fmt;

/// How much of what a server wrote goes into a message, in characters.
const SHOWN_CHARS: usize = 120;

/// Why there is no token. The texts follow the upstream's name; the remedy stands after a semicolon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OAuthError {
    /// A document names an address that must not be used.
    #[error("its `{member}` is `{}`, {fault}; report it to who runs the server", shown(.text))]
    Address {
        /// The member, or the challenge's parameter.
        member: &'static str,
        /// The address as it was written.
        text: String,
        /// What is wrong with it, as a clause.
        fault: &'static str,
    },
    /// Nothing says which authorization server it trusts, or that one says nothing of itself.
    #[error(
        "it wants a sign-in, but publishes nothing about how ({}); \
         put a token into its `headers`, or name its `oauth.authorization_server`",
        list(.tried)
    )]
    NotFound {
        /// Where it was looked for.
        tried: Vec<Attempt>,
    },
    /// Its resource metadata names no authorization server.
    #[error(
        "its resource metadata names no authorization server; name it as `oauth.authorization_server`"
    )]
    NoAuthorizationServer,
    /// A document could not be had just now.
    #[error("cannot read {attempt}; try again later")]
    Unreachable {
        /// What was tried.
        attempt: Attempt,
    },
    /// A document is not what it should be.
    #[error("cannot use {attempt}; report it to who runs the server")]
    Malformed {
        /// Which document, and what is wrong with it.
        attempt: Attempt,
    },
    /// The resource metadata is that of another server (RFC 9728 § 3.3).
    #[error(
        "its resource metadata is for `{}` instead of `{upstream}`; configure that url if it is meant",
        shown(.found)
    )]
    OtherResource {
        /// The `resource` that it names.
        found: String,
        /// The upstream's own.
        upstream: String,
    },
    /// The authorization server calls itself something else (RFC 8414 § 3.3).
    #[error(
        "its authorization server `{}` calls itself `{}`; \
         name that as `oauth.authorization_server` if you trust it",
        shown(.expected), shown(.found)
    )]
    OtherIssuer {
        /// The issuer that was asked for.
        expected: String,
        /// The `issuer` that it names.
        found: String,
    },
    /// PKCE with S256 is not advertised (MCP 2026-07-28 § Authorization Code Protection).
    #[error(
        "its authorization server `{}` does not advertise PKCE with `S256`, \
         without which a sign-in could be stolen; report it to who runs the server",
        shown(.issuer)
    )]
    NoPkce {
        /// The authorization server.
        issuer: String,
    },
    /// There is no page to sign in at.
    #[error(
        "its authorization server `{}` has no sign-in page; set `oauth.grant` to a way that it has",
        shown(.issuer)
    )]
    NoSignInPage {
        /// The authorization server.
        issuer: String,
    },
}

impl OAuthError {
    /// The default endpoints of a server do not exist either: nothing registers clients at `url`.
    pub(super) fn nowhere(url: String) -> Self {
        let outcome = "registers no client".to_owned();
        Self::NotFound {
            tried: vec![Attempt { url, outcome }],
        }
    }

    /// Whether it may be over the next time, without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// A document that was asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where, without the query.
    pub url: String,
    /// What came of it, as a clause.
    pub outcome: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", shown(&self.url), self.outcome)
    }
}

fn list(tried: &[Attempt]) -> String {
    let all: Vec<_> = tried.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// What a server wrote, fit for one line of a terminal: printable ASCII, no backtick, not long.
pub(super) fn shown(text: &str) -> String {
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
