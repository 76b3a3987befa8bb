//! A login that waits for the user.
//!
//! It is stored beside the tokens and outlives its process: any other process can redeem the
//! response.

use serde::{Deserialize, Serialize};

use crate::config::{Secret, exposed};
use crate::oauth::tokens::{Members, Timestamp};

/// An authorization request as `login.json` stores it. Its response is checked against this record
/// alone (MCP 2026-07-28 § Authorization Response Validation).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingLogin {
    /// The value that the response must repeat (RFC 6749 § 10.12).
    #[serde(with = "exposed")]
    pub state: Secret,
    /// The PKCE verifier (RFC 7636 § 4.1).
    #[serde(with = "exposed")]
    pub verifier: Secret,
    /// The redirect URI as in the request.
    pub redirect_uri: String,
    /// The issuer, recorded before the browser opens its page.
    pub issuer: String,
    /// The requested `resource` (RFC 8707), if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The requested scope, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The client that requested it.
    pub client_id: String,
    /// The sign-in page. It contains the state and is for the user alone.
    #[serde(with = "exposed")]
    pub url: Secret,
    /// Whether the tokens shall be bound to a key (RFC 9449).
    #[serde(default)]
    pub dpop: bool,
    /// When the login started.
    pub begun_at: Timestamp,
    /// Whether a browser has opened the page, so that no second tab opens.
    #[serde(default)]
    pub opened: bool,
    /// Members of other versions.
    #[serde(flatten)]
    pub other: Members,
}

#[cfg(test)]
pub(in crate::oauth) mod tests {
    use super::*;

    pub(in crate::oauth) fn pending() -> PendingLogin {
        let secret = |text: &str| Secret::new(text.to_owned());
        PendingLogin {
            state: secret("the-state"),
            verifier: secret("the-verifier"),
            redirect_uri: "http://127.0.0.1:50000/callback".to_owned(),
            issuer: "https://auth.example.com".to_owned(),
            resource: None,
            scope: None,
            client_id: "abc".to_owned(),
            url: secret("https://auth.example.com/authorize?state=the-state"),
            dpop: false,
            begun_at: Timestamp(1_700_000_000),
            opened: false,
            other: Members::default(),
        }
    }

    #[test]
    fn a_pending_login_is_written_and_read_unchanged() {
        let written = serde_json::to_string(&pending()).unwrap();
        assert!(written.contains("the-verifier") && written.contains("?state=the-state"));
        let read: PendingLogin = serde_json::from_str(&written).unwrap();
        assert_eq!(read, pending());
    }

    #[test]
    fn a_pending_login_does_not_print_its_secrets() {
        let printed = format!("{:?}", pending());
        assert!(!printed.contains("the-state"), "{printed}");
        assert!(!printed.contains("the-verifier"), "{printed}");
    }

    #[test]
    fn members_of_newer_versions_are_kept() {
        let mut written = serde_json::to_value(pending()).unwrap();
        written["nonce"] = "later".into();
        let read: PendingLogin = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }
}
