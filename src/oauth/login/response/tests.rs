//! Authorization responses, valid and forged.

mod pastes;

use serde_json::json;

use super::*;
use crate::oauth::Issuer;
use crate::oauth::address::tests::upstream;
use crate::oauth::login::pending;

const ISSUER: &str = "https://auth.example.com";

fn login() -> PendingLogin {
    pending::tests::pending()
}

/// Returns an authorization server; `names_itself` is its metadata on `iss`.
fn server(issuer: &str, names_itself: Option<bool>) -> AuthorizationServer {
    let upstream = upstream("https://mcp.example.com/mcp");
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": "https://auth.example.com/authorize",
        "token_endpoint": "https://auth.example.com/token",
        "code_challenge_methods_supported": ["S256"],
    });
    if let Some(names_itself) = names_itself {
        document["authorization_response_iss_parameter_supported"] = names_itself.into();
    }
    let issuer = Issuer::parse("issuer", issuer, &upstream).unwrap();
    let body = document.to_string();
    AuthorizationServer::parse(body.as_bytes(), &issuer, &upstream).unwrap()
}

fn code(
    response: Result<AuthorizationResponse, LoginError>,
    names_itself: Option<bool>,
) -> Result<String, LoginError> {
    let code = response?.code(&login(), &server(ISSUER, names_itself))?;
    Ok(code.expose().to_owned())
}

fn from_query(query: &str, names_itself: Option<bool>) -> Result<String, LoginError> {
    code(AuthorizationResponse::from_query(query), names_itself)
}

fn other_issuer(found: &str) -> LoginError {
    LoginError::IssuerMismatch {
        found: found.to_owned(),
        recorded: ISSUER.to_owned(),
    }
}

fn no_issuer() -> LoginError {
    LoginError::MissingIssuer {
        recorded: ISSUER.to_owned(),
    }
}

#[test]
fn a_valid_response_returns_its_code() {
    let cases = [
        "code=c%2Fd%2B%3D&state=the-state",
        "state=the-state&code=c/d%2B=",
        "code=c%2Fd%2B%3D&state=the-state&iss=https%3A%2F%2Fauth.example.com",
        "code=c%2Fd%2B%3D&state=the-state&session_state=x&session_state=y&scope=a+b&flag",
        "code=c%2Fd%2B%3D&state=the-state&error=",
    ];
    for query in cases {
        assert_eq!(from_query(query, None), Ok("c/d+=".to_owned()), "{query}");
    }
}

#[test]
fn a_response_with_another_state_returns_nothing() {
    let cases = [
        "code=c",
        "code=c&state=",
        "code=c&state=the-stat",
        "code=c&state=the-statE",
        "code=c&state=the-state%20",
        "code=c&state=the-state2",
        "code=c&State=the-state",
        "error=access_denied",
        "error=access_denied&state=forged",
    ];
    for query in cases {
        let response = AuthorizationResponse::from_query(query).unwrap();
        assert!(!response.belongs_to(&login()), "{query}");
        assert_eq!(
            from_query(query, None),
            Err(LoginError::StateMismatch),
            "{query}"
        );
    }
}

#[test]
fn the_issuer_is_compared_as_written() {
    let good = "code=c&state=the-state&iss=https%3A%2F%2Fauth.example.com";
    let absent = "code=c&state=the-state";
    let ok = || Ok("c".to_owned());
    // The four rows of MCP 2026-07-28 § Authorization Response Validation.
    assert_eq!(from_query(good, Some(true)), ok());
    assert_eq!(from_query(absent, Some(true)), Err(no_issuer()));
    for silent in [None, Some(false)] {
        assert_eq!(from_query(good, silent), ok());
        assert_eq!(from_query(absent, silent), ok());
    }
    let wrong = [
        "https://auth.example.com/",
        "https://AUTH.example.com",
        "HTTPS://auth.example.com",
        "https://auth.example.com:443",
        "https://auth.example.com/%2e",
        "https://auth%2Eexample.com",
        "https://auth.example.com ",
        "https://evil.example.com",
        "auth.example.com",
        "",
    ];
    for iss in wrong {
        let iss_encoded: String = form_urlencoded::byte_serialize(iss.as_bytes()).collect();
        for names_itself in [None, Some(false), Some(true)] {
            let query = format!("code=c&state=the-state&iss={iss_encoded}");
            assert_eq!(from_query(&query, names_itself), Err(other_issuer(iss)));
        }
    }
}

#[test]
fn an_error_is_reported_only_with_the_right_issuer() {
    let denied = |rest: &str| {
        let query = format!("error=access_denied&error_description=hm&state=the-state{rest}");
        from_query(&query, Some(true))
    };
    let good = "&iss=https%3A%2F%2Fauth.example.com";
    let description = Some("hm".to_owned());
    assert_eq!(denied(good), Err(LoginError::Denied { description }));
    assert_eq!(denied(""), Err(no_issuer()));
    let forged = denied("&iss=https%3A%2F%2Fevil.example.com").unwrap_err();
    assert_eq!(forged, other_issuer("https://evil.example.com"));
    let text = forged.to_string();
    assert!(
        !text.contains("access_denied") && !text.contains("hm)"),
        "{text}"
    );
}

#[test]
fn an_error_takes_precedence_over_a_code() {
    let query = "code=c&error=server_error&state=the-state";
    let error = from_query(query, None).unwrap_err();
    assert!(matches!(error, LoginError::Unavailable { .. }), "{error}");
    assert!(error.is_transient());
}

#[test]
fn a_repeated_parameter_is_rejected() {
    let cases = [
        ("code", "code=a&code=b&state=the-state"),
        ("code", "code=a&state=the-state&code=a"),
        ("code", "code=&state=the-state&code=a"),
        ("state", "code=a&state=forged&state=the-state"),
        ("state", "code=a&state=the-state&s%74ate=forged"),
        (
            "iss",
            "code=a&state=the-state&iss=https://auth.example.com&iss=x",
        ),
        ("error", "error=a&error=b&state=the-state"),
        (
            "error_description",
            "error=a&error_description=b&error_description=c",
        ),
    ];
    for (parameter, query) in cases {
        assert_eq!(
            from_query(query, None),
            Err(LoginError::RepeatedParameter { parameter }),
            "{query}"
        );
    }
}

#[test]
fn a_query_without_code_or_error_is_rejected() {
    for query in [
        "",
        "&",
        "=",
        "code",
        "code=",
        "error=",
        "state=the-state",
        "a=b",
        "%",
        "CODE=c",
    ] {
        assert_eq!(
            from_query(query, None),
            Err(LoginError::NotAResponse),
            "{query}"
        );
    }
    let request = "response_type=code&client_id=a&state=the-state";
    assert_eq!(from_query(request, None), Err(LoginError::SignInPage));
}

#[test]
fn a_code_for_another_server_is_not_returned() {
    let response = AuthorizationResponse::from_query("code=c&state=the-state").unwrap();
    let other = server("https://other.example.com", None);
    let error = response.code(&login(), &other).unwrap_err();
    assert!(matches!(error, LoginError::ServerChanged { .. }), "{error}");
}

#[test]
fn a_response_does_not_print_its_code() {
    let response = AuthorizationResponse::from_query("code=hunter2&state=hunter3").unwrap();
    let printed = format!("{response:?}");
    assert!(!printed.contains("hunter"), "{printed}");
}

#[test]
fn every_error_says_what_to_do() {
    let recorded = || ISSUER.to_owned();
    let hostile = Some("\u{1b}[2J`run` \u{202e}this\n");
    let refused = [
        "invalid_scope",
        "invalid_target",
        "unauthorized_client",
        "invalid_request",
    ];
    let refused = refused.iter().chain(&["login_required", "x\u{7}\n`y`"]);
    let errors = [
        LoginError::NotAResponse,
        LoginError::SignInPage,
        LoginError::RepeatedParameter { parameter: "state" },
        LoginError::StateMismatch,
        LoginError::ServerChanged {
            server: "https://b".to_owned(),
            recorded: recorded(),
        },
        LoginError::BareCode {
            recorded: recorded(),
        },
        no_issuer(),
        other_issuer("https://evil\u{1b}.example.com"),
        LoginError::from_error_code("access_denied", None),
        LoginError::from_error_code("access_denied", hostile),
        LoginError::from_error_code("server_error", Some("over there")),
    ];
    let errors = errors.into_iter();
    let errors = errors.chain(refused.map(|error| LoginError::from_error_code(error, hostile)));
    let texts: Vec<_> = errors.map(|error| error.to_string()).collect();
    for text in &texts {
        assert!(text.contains("; "), "{text}");
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
    }
    insta::assert_snapshot!(texts.join("\n"));
}
