//! The pages that a person sees when the browser is back.
//!
//! They are constant but for the upstream's name and the reason of a failure, both escaped, and
//! load and run nothing.

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

/// What became of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// There are tokens.
    SignedIn,
    /// The person said no.
    Denied,
    /// There are none, for a reason in the form of an error's text.
    Failed(String),
    /// It is the answer to a login that is over, or was never begun.
    Stale,
}

/// What a page says.
struct Text<'a> {
    status: &'static str,
    mark: &'static str,
    title: String,
    text: Cow<'a, str>,
}

impl Page {
    /// What to show for an answer that gave no code.
    #[must_use]
    pub fn of(error: &LoginError) -> Self {
        match error {
            LoginError::Denied { .. } => Self::Denied,
            LoginError::OtherState => Self::Stale,
            error => Self::Failed(error.to_string()),
        }
    }

    /// The whole HTTP response.
    pub(super) fn reply(&self, upstream: &str) -> Vec<u8> {
        let title = |rest: &str| format!("{rest} {upstream}");
        html(&match self {
            Self::SignedIn => Text {
                status: "200 OK",
                mark: "✓",
                title: title("You are signed in to"),
                text: "You can close this page and go back to your program.".into(),
            },
            Self::Denied => Text {
                status: "200 OK",
                mark: "–",
                title: title("You did not allow access to"),
                text: "Nothing was changed. You can close this page; \
                       sign in again if you think better of it."
                    .into(),
            },
            Self::Failed(reason) => Text {
                status: "400 Bad Request",
                mark: "✗",
                title: title("You are not signed in to"),
                text: sentence(reason).into(),
            },
            Self::Stale => Text {
                status: "410 Gone",
                mark: "–",
                title: "This sign-in is over".to_owned(),
                text: "It was finished before, or a newer one was begun. You can close this \
                       page; if you are still asked to sign in, use the newest page."
                    .into(),
            },
        })
    }
}

/// The response to a request that is no answer to a sign-in.
pub(super) fn refusal(status: &'static str, text: &str) -> Vec<u8> {
    html(&Text {
        status,
        mark: "–",
        title: "Nothing to see here".to_owned(),
        text: text.into(),
    })
}

fn html(page: &Text<'_>) -> Vec<u8> {
    let (title, text) = (escaped(&page.title), escaped(&page.text));
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
    // The address holds the code: no cache keeps it, no other page learns it, and nobody frames it.
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

/// An error's text for a page: errors begin in lower case and end without a full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), rest.as_str())
}

fn escaped(text: &str) -> String {
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
