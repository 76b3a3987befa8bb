//! Results by status and error code.

use super::*;

fn reply(status: u16, body: &str) -> EndpointResponse {
    EndpointResponse {
        url: "https://id.example/token".to_owned(),
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn text(status: u16, body: &str) -> String {
    reply(status, body)
        .into_success_body()
        .unwrap_err()
        .to_string()
}

#[test]
fn a_successful_body_is_returned_unchanged() {
    let bodies = [
        r#"{"access_token":"a"}"#,
        r#"{"access_token":"a","error":"none"}"#,
        r#"{"ok":true}"#,
        "",
        "<html>",
    ];
    for body in bodies {
        for status in [200, 201] {
            assert_eq!(reply(status, body).into_success_body().unwrap(), body);
        }
    }
}

#[test]
fn an_error_code_counts_with_any_status() {
    for status in [200, 400, 401, 403] {
        let refused = |error: &str| {
            let body = format!(r#"{{"error":"{error}","error_description":"why"}}"#);
            reply(status, &body).into_success_body().unwrap_err()
        };
        let description = Some("why".to_owned());
        for error in ["invalid_grant", "bad_refresh_token", "invalid_code"] {
            let expected = TokenError::InvalidGrant {
                description: description.clone(),
            };
            assert_eq!(refused(error), expected);
        }
        for error in ["invalid_client", "bad_client_secret"] {
            let expected = TokenError::InvalidClient {
                description: description.clone(),
            };
            assert_eq!(refused(error), expected);
        }
        assert_eq!(refused("access_denied"), TokenError::Denied);
        assert_eq!(refused("expired_token"), TokenError::Expired);
        assert!(refused("temporarily_unavailable").is_transient());
        let other = TokenError::Refused {
            error: "invalid_scope".to_owned(),
            description,
        };
        assert_eq!(refused("invalid_scope"), other);
    }
}

#[test]
fn only_server_failures_are_transient() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let body = reply(status, r#"{"error":"invalid_grant"}"#).into_success_body();
        assert!(
            body.unwrap_err().is_transient(),
            "{status} says nothing of the login"
        );
    }
    for status in [301, 307, 400, 401, 403, 404, 405] {
        for body in [
            "",
            "<html>",
            "[]",
            r#"{"error":{"code":7}}"#,
            r#"{"error":null}"#,
        ] {
            let error = reply(status, body).into_success_body().unwrap_err();
            assert!(
                matches!(error, TokenError::Malformed { .. }),
                "{status} {body}: {error}"
            );
            assert!(!error.is_transient());
        }
    }
}

#[test]
fn retry_after_is_read_and_limited() {
    let cases = [
        ("7", Some(7)),
        (" 7 ", Some(7)),
        ("999999999", Some(3600)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("-1", None),
    ];
    for (value, expected) in cases {
        let mut reply = reply(503, "");
        reply
            .headers
            .insert(RETRY_AFTER, HeaderValue::from_static(value));
        let TokenError::Unreachable { retry_after, .. } = reply.into_success_body().unwrap_err()
        else {
            panic!("503 passes")
        };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{value}");
    }
}

#[test]
fn texts_name_the_remedy_and_contain_only_printable_ascii() {
    let cases = [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"gone"}"#,
            "the authorization server no longer accepts the login (`gone`); sign in again",
        ),
        (
            401,
            r#"{"error":"invalid_client"}"#,
            "the authorization server rejects the client; \
             check `oauth.client_id` and its secret, or sign in again to register a new one",
        ),
        (
            400,
            "{\"error\":\"x`\\u001b[31m\",\"error_description\":\"line\\nbreak\"}",
            "the authorization server reports `x??[31m` (`line?break`); \
             check the `oauth` settings",
        ),
        (
            503,
            "",
            "the authorization server `https://id.example/token` is unavailable \
             (HTTP 503 Service Unavailable); try again later",
        ),
        (
            404,
            "secret page",
            "cannot use the response of the authorization server `https://id.example/token` \
             (HTTP 404 Not Found without an error code); report this to the server's operator",
        ),
    ];
    for (status, body, expected) in cases {
        assert_eq!(text(status, body), expected);
    }
}
