//! The authorization code grant: checks of the request, the redirect and the exchange.

use serde_json::json;

use crate::kit::oauth::raw_client::{APP, CALLBACK, Form, Setup, VERIFIER, query, setup};
use testkit::Endpoint;
use testkit::oauth::{self, Browser, Iss, Part, Resource, client};
use testkit::raw::{self, Reply};

#[tokio::test]
async fn code_reaches_the_callback_and_is_exchanged_for_tokens() {
    let setup = setup(oauth::server().scopes("read write")).await;
    let callback = raw::server(|_| async { Reply::status(200).body("thanks") });
    let uri = callback.url_of("/callback");
    let request = setup.request("read").with("redirect_uri", uri.as_str());
    let browser = Browser::consenting();
    let page = browser.open(&setup.url(&request)).await;
    assert_eq!((page.status, page.text.as_str()), (200, "thanks"));
    assert_eq!(browser.opened(), 1);

    let came = callback.requests().remove(0);
    let back = query(&url::Url::parse(&callback.url_of(&came.path)).unwrap());
    assert_eq!(back["state"], "the-state");
    assert_eq!(back["iss"], setup.server.issuer());
    let code = back["code"].as_str().unwrap();
    let exchange = setup.exchange(code).with("redirect_uri", uri.as_str());
    let answer = setup.token(&exchange).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 3600);
    assert_eq!(answer.body["scope"], "read");
    let token = answer.text("access_token");
    assert!(setup.server.accepts(token));

    let secrets = setup.server.secrets();
    for secret in [code, token, answer.text("refresh_token"), VERIFIER] {
        assert!(secrets.iter().any(|known| known == secret), "{secret}");
    }
    assert_eq!(setup.server.count(Part::Authorization), 1);
    assert_eq!(setup.server.grants("authorization_code").len(), 1);
    assert_eq!(setup.server.refusals(), []);
}

#[tokio::test]
async fn invalid_authorization_request_is_rejected() {
    let setup = setup(
        oauth::server()
            .scopes("read")
            .client(client("machine").redirect_uri(CALLBACK).grants([]))
            .client(client("narrow").redirect_uri(CALLBACK).scopes("write")),
    )
    .await;
    let good = || setup.request("read");
    let challenge = oauth::challenge(VERIFIER);
    let cases: [(Form, &str); 14] = [
        (
            good().with("response_type", "token"),
            "unsupported_response_type",
        ),
        (good().with("response_type", None), "invalid_request"),
        (good().with("state", None), "invalid_request"),
        (good().with("state", ""), "invalid_request"),
        (good().with("code_challenge", None), "invalid_request"),
        (good().with("code_challenge", VERIFIER), "invalid_request"),
        (
            good().with("code_challenge", &challenge[1..]),
            "invalid_request",
        ),
        (
            good().with("code_challenge_method", None),
            "invalid_request",
        ),
        (
            good().with("code_challenge_method", "plain"),
            "invalid_request",
        ),
        (good().with("resource", None), "invalid_target"),
        (
            good().with("resource", "https://example.com/mcp"),
            "invalid_target",
        ),
        (good().with("client_id", "narrow"), "invalid_scope"),
        (good().with("scope", "read admin"), "invalid_scope"),
        (good().with("client_id", "machine"), "unauthorized_client"),
    ];
    for (request, error) in cases {
        let back = setup.back(&request).await;
        assert_eq!(back["error"], error, "{}", request.encoded());
        assert_eq!(back["iss"], setup.server.issuer());
        assert_eq!(back["code"], json!(null));
    }
    let slash = format!("{}/", setup.upstream.url());
    let back = setup.back(&good().with("resource", slash.as_str())).await;
    assert_eq!(back["error"], "invalid_target");
    // Without a trusted redirect URI there is no redirect.
    for request in [
        good().with("client_id", None),
        good().with("client_id", "unknown"),
        good().with("redirect_uri", None),
        good().and("scope", "read"),
    ] {
        let page = Browser::consenting().redirect(&setup.url(&request)).await;
        assert_eq!(page.unwrap_err().status, 400, "{}", request.encoded());
    }
}

#[tokio::test]
async fn browser_is_redirected_to_registered_uris_only() {
    let uris = |client: oauth::Client| {
        let client = client.redirect_uri("http://[::1]:9/callback");
        let client = client.redirect_uri("http://localhost:9/callback");
        client.redirect_uri("https://example.com:9/callback?a=b")
    };
    let app = || uris(client("uris").redirect_uri(CALLBACK));
    let loose = setup(oauth::server().client(app())).await;
    let exact = setup(oauth::server().client(app()).exact_ports()).await;
    let goes = async |setup: &Setup, uri: &str| {
        let request = setup.request("").with("client_id", "uris");
        let request = request.with("redirect_uri", uri);
        let redirect = Browser::consenting().redirect(&setup.url(&request)).await;
        redirect.is_ok_and(|url| url.as_str().starts_with(uri))
    };
    for (uri, goes_loose, goes_exact) in [
        (CALLBACK, true, true),
        ("http://127.0.0.1:7/callback", true, false),
        ("http://[::1]:7/callback", true, false),
        ("https://example.com:9/callback?a=b", true, true),
        ("http://localhost:9/callback", true, true),
        ("http://localhost:7/callback", false, false),
        ("https://example.com:7/callback?a=b", false, false),
        ("https://example.com:9/callback", false, false),
        ("http://127.0.0.1/callback/", false, false),
        ("http://127.0.0.1/callback?a=b", false, false),
        ("http://127.0.0.1/other", false, false),
        ("http://127.0.0.1", false, false),
        ("https://127.0.0.1/callback", false, false),
        ("http://127.0.0.2/callback", false, false),
        ("http://127.0.0.1:7@example.com/callback", false, false),
        ("http://127.0.0.1.example.com/callback", false, false),
    ] {
        assert_eq!(goes(&loose, uri).await, goes_loose, "{uri}");
        assert_eq!(
            goes(&exact, uri).await,
            goes_exact,
            "{uri} with exact ports"
        );
    }
}

#[tokio::test]
async fn invalid_code_exchange_is_rejected() {
    let setup = setup(oauth::server().client(client("other").redirect_uri(CALLBACK))).await;
    let long = "a".repeat(129);
    type Bend<'a> = (&'a str, Option<&'a str>, &'a str);
    let cases: [Bend; 12] = [
        ("code_verifier", Some(&VERIFIER[..43]), "invalid_grant"),
        ("code_verifier", Some("short"), "invalid_grant"),
        ("code_verifier", Some(&long), "invalid_grant"),
        (
            "redirect_uri",
            Some("http://127.0.0.1:7/callback"),
            "invalid_grant",
        ),
        ("redirect_uri", None, "invalid_grant"),
        ("client_id", Some("other"), "invalid_grant"),
        ("code", Some("unknown-code"), "invalid_grant"),
        ("code_verifier", None, "invalid_request"),
        ("code", None, "invalid_request"),
        ("resource", None, "invalid_target"),
        (
            "resource",
            Some("https://example.com/mcp"),
            "invalid_target",
        ),
        ("grant_type", Some("password"), "unsupported_grant_type"),
    ];
    for (at, (name, value, error)) in cases.into_iter().enumerate() {
        let back = setup.back(&setup.request("")).await;
        let good = setup.exchange(back["code"].as_str().unwrap());
        let answer = setup.token(&good.clone().with(name, value)).await;
        let got = (answer.status, answer.error());
        assert_eq!(got, (400, error), "{name}: {value:?}");
        // An attempt that fails with a well-formed request of the client spends the code.
        let spent = at < 5;
        let again = setup.token(&good).await;
        assert_eq!(again.error() == "invalid_grant", spent, "{name}: {value:?}");
    }
    let back = setup.back(&setup.request("")).await;
    let twice = setup.exchange(back["code"].as_str().unwrap());
    let twice = twice.and("client_id", APP);
    assert_eq!(setup.token(&twice).await.error(), "invalid_request");
}

#[tokio::test]
async fn pkce_verifier_must_be_well_formed() {
    let setup = setup(oauth::server()).await;
    let (long, odd) = ("a".repeat(129), format!("{VERIFIER}+"));
    for (verifier, error) in [
        (VERIFIER, ""),
        (&VERIFIER[..42], "invalid_grant"),
        (&long, "invalid_grant"),
        (&odd, "invalid_grant"),
    ] {
        let challenge = oauth::challenge(verifier);
        let request = setup.request("");
        let request = request.with("code_challenge", challenge.as_str());
        let back = setup.back(&request).await;
        let exchange = setup.exchange(back["code"].as_str().unwrap());
        let answer = setup.token(&exchange.with("code_verifier", verifier)).await;
        assert_eq!(answer.error(), error, "{verifier}");
    }
}

#[tokio::test]
async fn reused_code_revokes_its_tokens() {
    let setup = setup(oauth::server()).await;
    let back = setup.back(&setup.request("")).await;
    let exchange = setup.exchange(back["code"].as_str().unwrap());
    let first = setup.token(&exchange).await;
    assert!(setup.server.accepts(first.text("access_token")));
    assert_eq!(setup.token(&exchange).await.error(), "invalid_grant");
    assert_eq!((setup.server.reuses(), setup.server.revoked()), (1, 1));
    assert!(!setup.server.accepts(first.text("access_token")));
    let refresh = setup.refresh(first.text("refresh_token"));
    assert_eq!(setup.token(&refresh).await.error(), "invalid_grant");
}

#[tokio::test]
async fn expired_code_is_rejected() {
    let setup = setup(oauth::server().code_lifetime(std::time::Duration::ZERO)).await;
    let back = setup.back(&setup.request("")).await;
    let exchange = setup.exchange(back["code"].as_str().unwrap());
    assert_eq!(setup.token(&exchange).await.error(), "invalid_grant");
}

#[tokio::test]
async fn iss_parameter_can_be_missing_or_wrong() {
    let wrong = Iss::Wrong("https://example.com".to_owned());
    for (iss, expected) in [
        (Iss::Off, json!(null)),
        (wrong, json!("https://example.com")),
    ] {
        let setup = setup(oauth::server().iss(iss)).await;
        assert_eq!(setup.back(&setup.request("")).await["iss"], expected);
        let refused = setup.back(&setup.request("admin")).await;
        assert_eq!(
            (&refused["error"], &refused["iss"]),
            (&json!("invalid_scope"), &expected)
        );
    }
}

#[tokio::test]
async fn browser_can_grant_less_deny_or_not_answer() {
    let setup = setup(oauth::server().scopes("read write")).await;
    let url = setup.url(&setup.request("read write"));
    let less = Browser::consenting().granting("read").redirect(&url).await;
    let back = query(&less.unwrap());
    let answer = setup.exchange(back["code"].as_str().unwrap());
    assert_eq!(setup.token(&answer).await.body["scope"], "read");

    let no = query(&Browser::denying().redirect(&url).await.unwrap());
    assert_eq!(no["error"], "access_denied");
    assert_eq!(no["state"], "the-state");
    let page = Browser::silent().redirect(&url).await.unwrap_err();
    assert!(page.text.contains("ticket"), "{}", page.text);
    assert_eq!(setup.server.count(Part::Consent), 2);

    let forged = Browser::consenting().altering(|url| url.set_query(Some("code=x")));
    let forged = forged.redirect(&url).await.unwrap();
    assert_eq!(forged.as_str(), "http://127.0.0.1/callback?code=x");
}

#[tokio::test]
async fn resource_parameter_can_be_optional_or_rejected() {
    let setup_of = |resource| setup(oauth::server().resource(resource));
    let (optional, refusing) = (
        setup_of(Resource::Optional).await,
        setup_of(Resource::Refused).await,
    );
    for setup in [&optional, &refusing] {
        let back = setup.back(&setup.request("").with("resource", None)).await;
        let exchange = setup.exchange(back["code"].as_str().unwrap());
        let answer = setup.token(&exchange.with("resource", None)).await;
        assert!(setup.server.accepts(answer.text("access_token")));
    }
    optional.login("").await;
    let back = refusing.back(&refusing.request("")).await;
    assert_eq!(back["error"], "invalid_target");
}
