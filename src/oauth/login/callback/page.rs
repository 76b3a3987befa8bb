//! The pages that the browser shows after a sign-in.
//!
//! They are constant except for the upstream's name and the reason of a failure, both escaped. They
//! load nothing and run no script.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::oauth::login::login_error::LoginError;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem;overflow-wrap:anywhere}\
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .8rem}\
p{margin:0 0 .8rem}\
.mark{font-size:2.4rem;margin:0 0 .4rem}\
footer{margin-top:2.5rem;font-size:.85rem;opacity:.65}";

/// The result of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The user is signed in.
    SignedIn,
    /// The user declined.
    Denied,
    /// The sign-in failed; the reason is an error's text.
    Failed(String),
    /// The response belongs to a login that has ended or never started.
    Stale,
}

/// The content of a page.
struct PageContent<'a> {
    status: &'static str,
    mark: &'static str,
    title: String,
    text: Cow<'a, str>,
}

impl Page {
    /// Returns the page for an authorization response without code.
    #[must_use]
    pub fn for_error(error: &LoginError) -> Self {
        match error {
            LoginError::Denied { .. } => Self::Denied,
            LoginError::StateMismatch => Self::Stale,
            error => Self::Failed(error.to_string()),
        }
    }

    /// Returns the complete HTTP response.
    pub(super) fn http_response(&self, upstream: &str) -> Vec<u8> {
        let title = |rest: &str| format!("{rest} {upstream}");
        html_response(&match self {
            Self::SignedIn => PageContent {
                status: "200 OK",
                mark: "✓",
                title: title("You are signed in to"),
                text: "You can close this page and go back to your program.".into(),
            },
            Self::Denied => PageContent {
                status: "200 OK",
                mark: "–",
                title: title("You did not allow access to"),
                text: "Nothing has changed. You can close this page, \
                       or sign in again if you change your mind."
                    .into(),
            },
            Self::Failed(reason) => PageContent {
                status: "400 Bad Request",
                mark: "✗",
                title: title("You are not signed in to"),
                text: sentence(reason).into(),
            },
            Self::Stale => PageContent {
                status: "410 Gone",
                mark: "–",
                title: "This sign-in has ended".to_owned(),
                text: "It was completed before, or a newer one was started. You can close this \
                       page; if you are still asked to sign in, use the newest page."
                    .into(),
            },
        })
    }
}

/// Returns the HTTP response to a request without authorization response.
pub(super) fn rejection(status: &'static str, text: &str) -> Vec<u8> {
    html_response(&PageContent {
        status,
        mark: "–",
        title: "Nothing to see here".to_owned(),
        text: text.into(),
    })
}

fn html_response(page: &PageContent<'_>) -> Vec<u8> {
    let (title, text) = (escape_html(&page.title), escape_html(&page.text));
    let mark = page.mark;
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head>\n\
         <body><p class=\"mark\" aria-hidden=\"true\">{mark}</p><h1>{title}</h1>\n\
         <p>{text}</p>\n<footer>mcp-manifold, on this computer</footer></body></html>\n"
    );
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let (status, length) = (page.status, body.len());
    // The address contains the code: no cache, other page or frame may see it.
    let head = format!(
        "HTTP/1.1 {status}\r\n\
         content-type: text/html; charset=utf-8\r\n\
         content-length: {length}\r\n\
         cache-control: no-store\r\n\
         content-security-policy: default-src 'none'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
         x-content-type-options: nosniff\r\n\
         referrer-policy: no-referrer\r\n\
         cross-origin-resource-policy: same-origin\r\n\
         connection: close\r\n\r\n"
    );
    (head + &body).into_bytes()
}

/// Turns an error's text into a sentence: error texts begin in lower case and have no full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), rest.as_str())
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
