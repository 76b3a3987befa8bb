//! The authorization response, from the browser or pasted by the user.
//!
//! It counts as forged until checked: [`AuthorizationResponse::code`] returns the code only if
//! state and issuer are those of the [`PendingLogin`]. A forged response has no effect.

use url::{Url, form_urlencoded};

use super::login_error::LoginError;
use super::pending::PendingLogin;
use crate::config::Secret;
use crate::oauth::discovery::metadata::AuthorizationServer;

/// The longest paste, in bytes; the longest known codes have a few thousand.
const MAX_PASTE: usize = 32 << 10;

/// An authorization response (RFC 6749 §§ 4.1.2 and 4.1.2.1, RFC 9207 § 2).
#[derive(Debug, Clone, Default)]
pub struct AuthorizationResponse {
    code: Option<Secret>,
    state: Option<Secret>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    /// Whether the user pasted the code alone.
    is_bare_code: bool,
}

impl AuthorizationResponse {
    /// Parses the query of a request to the redirect URI, without its `?`.
    ///
    /// # Errors
    /// [`LoginError::NotAResponse`] if there is neither a code nor an error,
    /// [`LoginError::RepeatedParameter`] if a parameter occurs twice.
    pub fn from_query(query: &str) -> Result<Self, LoginError> {
        let mut raw = RawParameters::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            raw.record(&name, value.into_owned())?;
        }
        // RFC 6749 § 3.1: a parameter without a value counts as omitted.
        let full = |value: Option<String>| value.filter(|value| !value.is_empty());
        let response = Self {
            code: full(raw.code).map(Secret::new),
            state: full(raw.state).map(Secret::new),
            iss: raw.iss,
            error: full(raw.error),
            error_description: full(raw.error_description),
            is_bare_code: false,
        };
        match (&response.code, &response.error) {
            (None, None) if raw.is_request => Err(LoginError::SignInPage),
            (None, None) => Err(LoginError::NotAResponse),
            _ => Ok(response),
        }
    }

    /// Parses what the user pasted: the address on which the browser ended, its query, or the code
    /// alone. Ignores quotes around it and white space, such as line breaks of a terminal.
    ///
    /// # Errors
    /// As for [`AuthorizationResponse::from_query`]; also [`LoginError::SignInPage`] for the
    /// address of the sign-in page.
    pub fn from_paste(text: &str) -> Result<Self, LoginError> {
        if text.len() > MAX_PASTE {
            return Err(LoginError::NotAResponse);
        }
        let is_space = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
        let text: String = text.chars().filter(|c| !is_space(*c)).collect();
        let text = text.trim_matches(is_quote);
        if text.contains("://") {
            let url = Url::parse(text).map_err(|_| LoginError::NotAResponse)?;
            return Self::from_query(url.query().unwrap_or_default());
        }
        // `/callback?code=…`, and `?code=…`.
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        if is_query(query) {
            return Self::from_query(query);
        }
        Self::from_code(text)
    }

    fn from_code(text: &str) -> Result<Self, LoginError> {
        // RFC 6749 § A.11, without the space.
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(LoginError::NotAResponse);
        }
        Ok(Self {
            code: Some(Secret::new(percent_decoded(text))),
            is_bare_code: true,
            ..Self::default()
        })
    }

    /// Returns `true` if the response belongs to this login: its `state` matches, or it is a pasted
    /// code. States are compared in constant time.
    #[must_use]
    pub fn belongs_to(&self, pending: &PendingLogin) -> bool {
        match &self.state {
            Some(state) => *state == pending.state,
            None => self.is_bare_code,
        }
    }

    /// Returns the code, to be exchanged at `server`. Checks state and issuer before anything else
    /// in the response (MCP 2026-07-28 § Authorization Response Validation).
    ///
    /// # Errors
    /// [`LoginError`]. The login stays pending; it can still succeed unless the server itself sent
    /// the error.
    pub fn code(
        &self,
        pending: &PendingLogin,
        server: &AuthorizationServer,
    ) -> Result<Secret, LoginError> {
        if !self.belongs_to(pending) {
            return Err(LoginError::StateMismatch);
        }
        let recorded = || pending.issuer.clone();
        if server.issuer.as_str() != pending.issuer {
            return Err(LoginError::ServerChanged {
                server: server.issuer.as_str().to_owned(),
                recorded: recorded(),
            });
        }
        let names_itself = server
            .features
            .authorization_response_iss_parameter_supported;
        match &self.iss {
            // "Simple string comparison": nothing is normalized.
            Some(iss) if *iss != pending.issuer => {
                return Err(LoginError::IssuerMismatch {
                    found: iss.clone(),
                    recorded: recorded(),
                });
            }
            None if names_itself && self.is_bare_code => {
                return Err(LoginError::BareCode {
                    recorded: recorded(),
                });
            }
            None if names_itself => {
                return Err(LoginError::MissingIssuer {
                    recorded: recorded(),
                });
            }
            _ => {}
        }
        if let Some(error) = &self.error {
            return Err(LoginError::from_error_code(
                error,
                self.error_description.as_deref(),
            ));
        }
        self.code.clone().ok_or(LoginError::NotAResponse)
    }
}

/// The parameters as they occur.
#[derive(Default)]
struct RawParameters {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    is_request: bool,
}

impl RawParameters {
    fn record(&mut self, name: &str, value: String) -> Result<(), LoginError> {
        let (parameter, place) = match name {
            "code" => ("code", &mut self.code),
            "state" => ("state", &mut self.state),
            "iss" => ("iss", &mut self.iss),
            "error" => ("error", &mut self.error),
            "error_description" => ("error_description", &mut self.error_description),
            "response_type" => {
                self.is_request = true;
                return Ok(());
            }
            // "The client MUST ignore unrecognized response parameters."
            _ => return Ok(()),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(LoginError::RepeatedParameter { parameter }),
        }
    }
}

/// Returns `true` if the text is a query rather than a code, which may contain `=` too.
fn is_query(text: &str) -> bool {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs.any(|(name, value)| {
        matches!(&*name, "code" | "error" | "state" | "iss" | "response_type") && !value.is_empty()
    })
}

/// Decodes a code that was copied out of an address: `4%2F0A…`.
fn percent_decoded(code: &str) -> String {
    if !code.contains('%') {
        return code.to_owned();
    }
    let query = code.replace('+', "%2B").replace('&', "%26");
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match pairs.next() {
        Some((code, value)) if value.is_empty() && !code.is_empty() => code.into_owned(),
        _ => code.to_owned(),
    }
}

fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '`' | '<' | '>' | '“' | '”' | '‘' | '’' | '«' | '»'
    )
}

/// Invisible characters that chat programs and terminals add to copied text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{202a}'..='\u{202e}')
}

#[cfg(test)]
mod tests;
