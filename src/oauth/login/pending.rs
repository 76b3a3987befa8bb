//! A sign-in that was begun and waits for the person.
//!
//! It is kept on disk beside the tokens, so that the login outlives the process that began it:
//! any other can take the answer and redeem it.

use serde::{Deserialize, Serialize};

use crate::config::{Secret, exposed};
use crate::oauth::tokens::{Members, Timestamp};

/// What was asked of an authorization server, as the login's file holds it. The answer is judged
/// by this record alone (MCP 2026-07-28 § Authorization Response Validation).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// What the answer must repeat (RFC 6749 § 10.12).
    #[serde(with = "exposed")]
    pub state: Secret,
    /// What proves that the code is ours (RFC 7636 § 4.1).
    #[serde(with = "exposed")]
    pub verifier: Secret,
    /// Where the browser is sent back to, as it was written in the request.
    pub redirect_uri: String,
    /// The authorization server, recorded before the browser is sent there.
    pub issuer: String,
    /// The `resource` that was asked for (RFC 8707), when one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The scope that was asked for, by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The client that asked.
    pub client_id: String,
    /// The page to sign in at. It holds the state, and is for the person alone.
    #[serde(with = "exposed")]
    pub url: Secret,
    /// Whether the tokens are to be bound to a key (RFC 9449).
    #[serde(default)]
    pub dpop: bool,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// Whether a browser was opened for it, so that no second tab is.
    #[serde(default)]
    pub opened: bool,
    /// Members of other versions.
    #[serde(flatten)]
    pub other: Members,
}

#[cfg(test)]
pub(in crate::oauth) mod tests {
    use super::*;

    pub(in crate::oauth) fn pending() -> Pending {
        let secret = |text: &str| Secret::new(text.to_owned());
        Pending {
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
    fn a_login_is_written_whole_and_read_again() {
        let written = serde_json::to_string(&pending()).unwrap();
        assert!(written.contains("the-verifier") && written.contains("?state=the-state"));
        let read: Pending = serde_json::from_str(&written).unwrap();
        assert_eq!(read, pending());
    }

    #[test]
    fn a_login_does_not_print_what_finishes_it() {
        let printed = format!("{:?}", pending());
        assert!(!printed.contains("the-state"), "{printed}");
        assert!(!printed.contains("the-verifier"), "{printed}");
    }

    #[test]
    fn members_of_newer_versions_are_kept() {
        let mut written = serde_json::to_value(pending()).unwrap();
        written["nonce"] = "later".into();
        let read: Pending = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }
}
