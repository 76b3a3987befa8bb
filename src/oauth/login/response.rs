//! The answer of an authorization server to a sign-in, as the browser or the person brings it.
//!
//! It is forged until proved otherwise: [`AuthorizationResponse::code`] gives the code out only
//! when state and issuer are those of the [`Pending`] login, so that a forged answer costs nothing.

use url::{Url, form_urlencoded};

use super::login_error::LoginError;
use super::pending::Pending;
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
    /// A person brought the code without the rest.
    is_bare: bool,
}

impl AuthorizationResponse {
    /// Reads the query of a request to the redirect URI, without its `?`.
    ///
    /// # Errors
    /// [`LoginError::NotAnAnswer`] when there is neither a code nor an error,
    /// [`LoginError::Repeated`] when something stands there twice.
    pub fn from_query(query: &str) -> Result<Self, LoginError> {
        let mut read = Read::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            read.take(&name, value.into_owned())?;
        }
        // RFC 6749 § 3.1: a parameter without a value counts as left out.
        let full = |value: Option<String>| value.filter(|value| !value.is_empty());
        let response = Self {
            code: full(read.code).map(Secret::new),
            state: full(read.state).map(Secret::new),
            iss: read.iss,
            error: full(read.error),
            error_description: full(read.error_description),
            is_bare: false,
        };
        match (&response.code, &response.error) {
            (None, None) if read.is_request => Err(LoginError::SignInPage),
            (None, None) => Err(LoginError::NotAnAnswer),
            _ => Ok(response),
        }
    }

    /// Reads what a person pasted: the address of the page on which the browser ended, its
    /// query, or the code alone. White space, as line breaks of a terminal, and quotes around it
    /// are forgiven.
    ///
    /// # Errors
    /// As for [`AuthorizationResponse::from_query`], and [`LoginError::SignInPage`] when it is
    /// the address to open instead.
    pub fn from_paste(text: &str) -> Result<Self, LoginError> {
        if text.len() > MAX_PASTE {
            return Err(LoginError::NotAnAnswer);
        }
        let is_space = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
        let text: String = text.chars().filter(|c| !is_space(*c)).collect();
        let text = text.trim_matches(is_quote);
        if text.contains("://") {
            let url = Url::parse(text).map_err(|_| LoginError::NotAnAnswer)?;
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
            return Err(LoginError::NotAnAnswer);
        }
        Ok(Self {
            code: Some(Secret::new(decoded(text))),
            is_bare: true,
            ..Self::default()
        })
    }

    /// Whether it answers this login: it has its `state`, which is compared in constant time, or
    /// is a code that a person brought.
    #[must_use]
    pub fn is_for(&self, pending: &Pending) -> bool {
        match &self.state {
            Some(state) => *state == pending.state,
            None => self.is_bare,
        }
    }

    /// The code, to be exchanged at `server`. State and issuer are compared first, then
    /// comes what the server has to say (MCP 2026-07-28 § Authorization Response Validation).
    ///
    /// # Errors
    /// [`LoginError`]: nothing was used up, and the login may still be answered unless
    /// the error is the server's own.
    pub fn code(
        &self,
        pending: &Pending,
        server: &AuthorizationServer,
    ) -> Result<Secret, LoginError> {
        if !self.is_for(pending) {
            return Err(LoginError::OtherState);
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
                return Err(LoginError::OtherIssuer {
                    found: iss.clone(),
                    recorded: recorded(),
                });
            }
            None if names_itself && self.is_bare => {
                return Err(LoginError::BareCode {
                    recorded: recorded(),
                });
            }
            None if names_itself => {
                return Err(LoginError::NoIssuer {
                    recorded: recorded(),
                });
            }
            _ => {}
        }
        if let Some(error) = &self.error {
            return Err(LoginError::of(error, self.error_description.as_deref()));
        }
        self.code.clone().ok_or(LoginError::NotAnAnswer)
    }
}

/// The parameters as they come.
#[derive(Default)]
struct Read {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    is_request: bool,
}

impl Read {
    fn take(&mut self, name: &str, value: String) -> Result<(), LoginError> {
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
            Some(_) => Err(LoginError::Repeated { parameter }),
        }
    }
}

/// Whether it is a query rather than a code, which may well hold `=`.
fn is_query(text: &str) -> bool {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs.any(|(name, value)| {
        matches!(&*name, "code" | "error" | "state" | "iss" | "response_type") && !value.is_empty()
    })
}

/// A code copied out of an address may still be written as there: `4%2F0A…`.
fn decoded(code: &str) -> String {
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

/// What chat programs and terminals put into copied text without anybody seeing it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{202a}'..='\u{202e}')
}

#[cfg(test)]
mod tests;
