//! Token endpoints with malformed responses.

use serde_json::Value;

use crate::security::{failing_call, setup, sign_in};
use testkit::oauth;
use testkit::raw::Reply;

/// A secret that no message may repeat.
const SECRET: &str = "access-0123456789";

/// A part of the expected message, and the response that causes it.
type Case = (&'static str, fn() -> Reply);

/// Malformed responses of a token endpoint.
fn answers() -> Vec<Case> {
    vec![
        ("not a JSON object", || {
            let page = format!("<!doctype html><title>{SECRET}</title>");
            Reply::status(200)
                .header("content-type", "text/html")
                .body(page)
        }),
        ("cannot use the response", || {
            Reply::json(format!(r#"{{"access_token":"{SECRET}","token_ty"#))
        }),
        ("cannot use the response", || {
            Reply::json(format!(r#"["{SECRET}"]"#))
        }),
        ("cannot use the response", || {
            Reply::json(format!(r#"{{"token":"{SECRET}","token_type":"Bearer"}}"#))
        }),
        ("is unavailable", || {
            Reply::cut(format!(r#"{{"access_token":"{SECRET}""#))
        }),
        ("is unavailable", Reply::reset),
        ("more than 262144 bytes", || {
            let huge = "a".repeat(300 << 10);
            Reply::json(format!(r#"{{"access_token":"{SECRET}","x":"{huge}"}}"#))
        }),
        ("without an error code", || Reply::status(404)),
        ("reports `", || {
            Reply::json(r#"{"error":"\u001b[2J`x","error_description":"a\nb"}"#).with_status(400)
        }),
    ]
}

#[tokio::test]
async fn malformed_sign_in_response_is_reported_without_secrets() {
    for (message, answer) in answers() {
        let server =
            oauth::server().intercept(move |request| (request.path == "/token").then(answer));
        let setup = setup(server).await;
        let client = setup.start(Value::Null).await;
        let page = sign_in(&client).await;
        assert_eq!(page.status, 400, "{}", page.text);
        client.wait_for_stderr("the sign-in failed").await;
        let stderr = client.stderr();
        assert!(stderr.contains(message), "no `{message}` in {stderr}");
        assert!(!stderr.contains(SECRET), "{stderr}");
        assert!(!page.text.contains(SECRET), "{}", page.text);
        let strange = |c: char| c.is_control() && c != '\n';
        assert!(!stderr.contains(strange), "{stderr:?}");
        assert!(!setup.path("tokens.json").exists());
    }
}

#[tokio::test]
async fn malformed_refresh_response_is_reported_without_secrets() {
    for (_, answer) in answers() {
        let server = oauth::server().intercept(move |request| {
            let refresh = request.text().contains("grant_type=refresh_token");
            refresh.then(answer)
        });
        let setup = setup(server).await;
        let mut client = setup.signed_in(Value::Null).await;
        setup.expire();
        let message = failing_call(&mut client).await;
        assert!(!message.contains(SECRET), "{message}");
        assert!(!client.stderr().contains(SECRET), "{}", client.stderr());
        let message = message.to_lowercase();
        assert!(
            message.contains("sign in") || message.contains("try again later"),
            "{message}"
        );
    }
}
