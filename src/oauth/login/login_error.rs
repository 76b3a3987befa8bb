//! Errors of authorization responses, each with its remedy.

use crate::oauth::error::printable;

/// Why a sign-in returned no code. The texts follow the upstream's name; the remedy follows a
/// semicolon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The response has neither code nor error.
    #[error(
        "that is not the response to a sign-in; \
         copy the whole address of the page on which the browser ended"
    )]
    NotAResponse,
    /// The text is the address of the sign-in page.
    #[error(
        "that is the address of the sign-in page; open it, sign in, \
         and copy the address of the page on which the browser ended"
    )]
    SignInPage,
    /// A parameter occurs twice: parsers could disagree on its value (RFC 6749 § 3.1).
    #[error("the response to the sign-in has more than one `{parameter}`; sign in again")]
    RepeatedParameter {
        /// The name of the parameter.
        parameter: &'static str,
    },
    /// `state` is missing or different.
    #[error("the response belongs to another sign-in; use the newest sign-in page")]
    StateMismatch,
    /// The authorization server is no longer the recorded one.
    #[error(
        "the authorization server is now `{}`, but the sign-in started at `{}`; sign in again",
        printable(.server), printable(.recorded)
    )]
    ServerChanged {
        /// The current issuer.
        server: String,
        /// The issuer at which the sign-in started.
        recorded: String,
    },
    /// The text is a code alone, but the server sends `iss`.
    #[error(
        "the code alone does not name its issuer `{}`; \
         copy the whole address of the page on which the browser ended",
        printable(.recorded)
    )]
    BareCode {
        /// The issuer at which the sign-in started.
        recorded: String,
    },
    /// `iss` is missing, but the server announces it (RFC 9207 § 2.4).
    #[error(
        "the response to the sign-in does not name its issuer `{}`; \
         sign in again, and if that fails report this to the server's operator",
        printable(.recorded)
    )]
    MissingIssuer {
        /// The issuer at which the sign-in started.
        recorded: String,
    },
    /// `iss` is another issuer (RFC 9207 § 2.4). The rest of the response is not shown.
    #[error(
        "the response to the sign-in is from `{}` instead of `{}`, so it was not used; \
         sign in again, and if that fails do not trust the server",
        printable(.found), printable(.recorded)
    )]
    IssuerMismatch {
        /// The issuer in the response.
        found: String,
        /// The issuer at which the sign-in started.
        recorded: String,
    },
    /// `access_denied`: the user or the server's policy declined.
    #[error("the sign-in was denied{}; sign in again to allow it", quoted_description(.description))]
    Denied {
        /// `error_description`.
        description: Option<String>,
    },
    /// `server_error` or `temporarily_unavailable`.
    #[error(
        "the authorization server reports `{}`{}; sign in again later",
        printable(.error), quoted_description(.description)
    )]
    Unavailable {
        /// `error`.
        error: String,
        /// `error_description`.
        description: Option<String>,
    },
    /// Any other error.
    #[error(
        "the authorization server refused the sign-in with `{}`{}; {}",
        printable(.error), quoted_description(.description), remedy(.error)
    )]
    Refused {
        /// `error`.
        error: String,
        /// `error_description`.
        description: Option<String>,
    },
}

impl LoginError {
    /// Returns the error for an `error` of an authorization response (RFC 6749 § 4.1.2.1).
    pub(in crate::oauth) fn from_error_code(error: &str, description: Option<&str>) -> Self {
        let description = description.map(str::to_owned);
        let error = error.to_owned();
        match error.as_str() {
            "access_denied" => Self::Denied { description },
            "server_error" | "temporarily_unavailable" => Self::Unavailable { error, description },
            _ => Self::Refused { error, description },
        }
    }

    /// Returns `true` if the login still waits, and a better response can complete it.
    #[must_use]
    pub fn allows_retry(&self) -> bool {
        matches!(
            self,
            Self::NotAResponse
                | Self::SignInPage
                | Self::RepeatedParameter { .. }
                | Self::StateMismatch
                | Self::BareCode { .. }
        )
    }

    /// Returns `true` if the sign-in may succeed later, without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// Returns the server's description as part of a sentence.
fn quoted_description(description: &Option<String>) -> String {
    let text = description.as_deref().unwrap_or_default().trim();
    match text {
        "" => String::new(),
        text => format!(" (\"{}\")", printable(text)),
    }
}

/// Returns the remedy for an error code.
fn remedy(error: &str) -> &'static str {
    match error {
        "invalid_scope" => "set `oauth.scopes` to scopes that the server supports",
        // RFC 8707 § 2: the server does not know this resource, or supports no resources.
        "invalid_target" => "set `oauth.resource` to one that the server knows, or to `off`",
        // RFC 6749: the client is unknown or not authorized.
        "unauthorized_client" | "invalid_client" => {
            "check `oauth.client_id`; without one, run `mcp-manifold logout` and sign in again"
        }
        "invalid_request" | "invalid_redirect_uri" | "redirect_uri_mismatch" => {
            "check `oauth.redirect_uri` and `oauth.authorize_params`"
        }
        // OpenID Connect Core § 3.1.2.6.
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => {
            "remove `prompt` from `oauth.authorize_params` and sign in again"
        }
        _ => "sign in again, and if that fails report this to the server's operator",
    }
}
