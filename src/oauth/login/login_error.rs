//! What can be wrong with the answer to a sign-in, each with what to do about it.

use crate::oauth::error::shown;

/// Why a sign-in gave no code. The texts follow the upstream's name; the remedy stands after
/// a semicolon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// There is neither a code nor an error.
    #[error(
        "that is not the answer to a sign-in; \
         copy the whole address of the page on which the browser ended"
    )]
    NotAnAnswer,
    /// It is the address of the sign-in page.
    #[error(
        "that is the address of the sign-in page; open it, sign in, \
         and copy the address of the page on which the browser ended"
    )]
    SignInPage,
    /// Something stands there twice, so that no two readers need to agree on it (RFC 6749 § 3.1).
    #[error("the answer to the sign-in has more than one `{parameter}`; sign in again")]
    Repeated {
        /// What.
        parameter: &'static str,
    },
    /// The `state` is missing or another.
    #[error("the answer belongs to another sign-in; use the newest sign-in page")]
    OtherState,
    /// The authorization server is no longer the one that was recorded.
    #[error(
        "its authorization server is now `{}`, but the sign-in began at `{}`; sign in again",
        shown(.server), shown(.recorded)
    )]
    ServerChanged {
        /// Who it is now.
        server: String,
        /// Where the sign-in began.
        recorded: String,
    },
    /// A code stands alone where the server says that it names itself.
    #[error(
        "the code alone does not say that it is from `{}`; \
         copy the whole address of the page on which the browser ended",
        shown(.recorded)
    )]
    BareCode {
        /// Where the sign-in began.
        recorded: String,
    },
    /// `iss` is missing, though the server says that it sends it (RFC 9207 § 2.4).
    #[error(
        "the answer to the sign-in does not say that it is from `{}`, as it should; \
         sign in again, and if it stays so report it to who runs the server",
        shown(.recorded)
    )]
    NoIssuer {
        /// Where the sign-in began.
        recorded: String,
    },
    /// `iss` is somebody else (RFC 9207 § 2.4). What else the answer says is not shown.
    #[error(
        "the answer to the sign-in is from `{}` instead of `{}`, so it was not used; \
         sign in again, and if it stays so do not trust the server",
        shown(.found), shown(.recorded)
    )]
    OtherIssuer {
        /// Who it says it is from.
        found: String,
        /// Where the sign-in began.
        recorded: String,
    },
    /// The person, or the server for them, said no: `access_denied`.
    #[error("the sign-in was denied{}; sign in again to allow it", said(.description))]
    Denied {
        /// The server's words.
        description: Option<String>,
    },
    /// `server_error` or `temporarily_unavailable`.
    #[error(
        "its authorization server has trouble, `{}`{}; sign in again later",
        shown(.error), said(.description)
    )]
    Unavailable {
        /// The code of the error.
        error: String,
        /// The server's words.
        description: Option<String>,
    },
    /// Any other error.
    #[error(
        "its authorization server refused the sign-in with `{}`{}; {}",
        shown(.error), said(.description), remedy(.error)
    )]
    Refused {
        /// The code of the error.
        error: String,
        /// The server's words.
        description: Option<String>,
    },
}

impl LoginError {
    /// What an `error` of an authorization response means (RFC 6749 § 4.1.2.1).
    pub(in crate::oauth) fn of(error: &str, description: Option<&str>) -> Self {
        let description = description.map(str::to_owned);
        let error = error.to_owned();
        match error.as_str() {
            "access_denied" => Self::Denied { description },
            "server_error" | "temporarily_unavailable" => Self::Unavailable { error, description },
            _ => Self::Refused { error, description },
        }
    }

    /// Whether the login goes on after this, so that a better answer may finish it.
    #[must_use]
    pub fn may_be_mended(&self) -> bool {
        matches!(
            self,
            Self::NotAnAnswer
                | Self::SignInPage
                | Self::Repeated { .. }
                | Self::OtherState
                | Self::BareCode { .. }
        )
    }

    /// Whether it may be over the next time, without anything being changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// The server's words as a part of a sentence.
fn said(description: &Option<String>) -> String {
    let text = description.as_deref().unwrap_or_default().trim();
    match text {
        "" => String::new(),
        text => format!(" (\"{}\")", shown(text)),
    }
}

/// What to do about an error that a server names.
fn remedy(error: &str) -> &'static str {
    match error {
        "invalid_scope" => "set `oauth.scopes` to some that it knows",
        // RFC 8707 § 2: it does not know the resource, or knows of no resources at all.
        "invalid_target" => "set `oauth.resource` to one that it knows, or to `off`",
        // RFC 6749: the client is unknown, or may not do this.
        "unauthorized_client" | "invalid_client" => {
            "check `oauth.client_id`; without one, `mcp-manifold logout` and sign in again"
        }
        "invalid_request" | "invalid_redirect_uri" | "redirect_uri_mismatch" => {
            "check `oauth.redirect_uri` and `oauth.authorize_params`"
        }
        // OpenID Connect Core § 3.1.2.6.
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => {
            "take `prompt` out of `oauth.authorize_params` and sign in again"
        }
        _ => "sign in again, and if it stays so report it to who runs the server",
    }
}
