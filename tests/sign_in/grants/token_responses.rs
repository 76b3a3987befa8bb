//! Token endpoint responses that are malformed, oversized, redirected or missing.

use mcp_manifold::config::Secret;
use mcp_manifold::oauth::{TokenError, TokenResponse};

use crate::grants::{public, setup};
use testkit::oauth::Part;
use testkit::raw::{self, Reply};

/// The result of a refresh when the token endpoint answers with `reply`.
async fn refresh_with(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> Result<TokenResponse, TokenError> {
    let (client, server) = public();
    let server = server.intercept(move |request| request.path.ends_with("/token").then(&reply));
    let setup = setup(server).await;
    let token = Secret::new("refresh-secret".to_owned());
    let answer = setup.authority(&client).refresh(&token, None, None).await;
    if let Err(error) = &answer {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
    assert_eq!(
        setup.server.count(Part::Token),
        1,
        "the request is sent once"
    );
    answer
}

#[tokio::test]
async fn token_response_is_parsed_with_any_content_type() {
    for kind in ["application/json;charset=UTF-8", "text/plain", "text/html"] {
        let body = r#"{"access_token":"a","expires_in":"60"}"#;
        let reply = move || Reply::status(200).header("content-type", kind).body(body);
        let grant = refresh_with(reply).await.unwrap();
        assert_eq!(grant.access_token.expose(), "a", "{kind}");
    }
    let created = || Reply::json(r#"{"access_token":"a"}"#).with_status(201);
    assert!(refresh_with(created).await.is_ok());
}

#[tokio::test]
async fn malformed_token_response_error_repeats_no_secret() {
    let bodies: [(u16, &'static str); 9] = [
        (200, ""),
        (200, "<html>secret</html>"),
        (200, "access_token=secret&token_type=bearer"),
        (200, r#"{"access_token":{"value":"secret"}}"#),
        (200, r#"{"refresh_token":"secret"}"#),
        (
            200,
            r#"{"access_token":"secret","refresh_token":["secret"]}"#,
        ),
        (200, r#"["secret"]"#),
        (204, ""),
        (400, "secret"),
    ];
    for (status, body) in bodies {
        let answer = refresh_with(move || Reply::json(body).with_status(status)).await;
        let malformed = matches!(answer, Err(TokenError::Malformed { .. }));
        assert!(malformed, "{status} {body}: {answer:?}");
    }
}

#[tokio::test]
async fn token_response_over_the_size_limit_is_rejected() {
    let big = || Reply::json(format!("{{\"x\":\"{}\"}}", "y".repeat(300 << 10)));
    let error = refresh_with(big).await.unwrap_err();
    assert!(matches!(&error, TokenError::Malformed { fault, .. } if fault.contains("262144")));
}

#[tokio::test]
async fn token_request_follows_no_redirect() {
    let thief = raw::server(|_| std::future::ready(Reply::json(r#"{"access_token":"a"}"#)));
    for status in [301, 302, 307, 308] {
        let location = thief.url_of("/token");
        let moved = move || Reply::status(status).header("location", &location);
        let answer = refresh_with(moved).await;
        assert!(
            matches!(answer, Err(TokenError::Malformed { .. })),
            "{status}"
        );
    }
    assert!(thief.requests().is_empty());
}

#[tokio::test]
async fn oauth_error_with_status_200_is_an_error() {
    let github = || Reply::json(r#"{"error":"bad_refresh_token","error_description":"passed"}"#);
    let slack = || Reply::json(r#"{"ok":false,"error":"invalid_refresh_token"}"#);
    assert!(matches!(
        refresh_with(github).await,
        Err(TokenError::InvalidGrant { .. })
    ));
    assert!(matches!(
        refresh_with(slack).await,
        Err(TokenError::InvalidGrant { .. })
    ));
}

#[tokio::test]
async fn hanging_token_request_times_out_as_transient() {
    let (client, server) = public();
    let hanging = |path: &str| path.ends_with("/token").then(Reply::hang);
    let setup = setup(server.intercept(move |request| hanging(&request.path))).await;
    let token = Secret::new("refresh-secret".to_owned());
    let authority = setup.authority(&client);
    let refresh = authority.refresh(&token, None, None);
    let clock = async {
        setup.server.wait_for(Part::Token, 1).await;
        // From here on the clock advances as soon as all tasks are idle.
        tokio::time::pause();
    };
    let (answer, ()) = tokio::join!(refresh, clock);
    let error = answer.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("no answer for 30 s"), "{error}");
}
