//! Clients: registration, metadata documents, and authentication methods.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::kit::oauth::raw_client::{Answer, CALLBACK, Form, Setup, post, send, setup};
use testkit::Endpoint;
use testkit::oauth::{self, AuthMethod, Browser, Key, Registration, client, scopes};
use testkit::raw::{self, Reply};

async fn register(setup: &Setup, metadata: &Value) -> Answer {
    let kind = ("content-type", "application/json");
    send(
        &setup.server.url_of("/register"),
        &[kind],
        metadata.to_string(),
    )
    .await
}

fn native() -> Value {
    json!({
        "redirect_uris": [CALLBACK],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

/// `native()` with the members of `changes`.
fn native_with(changes: Value) -> Value {
    let mut metadata = native();
    let Value::Object(changes) = changes else {
        panic!("{changes} is no object");
    };
    metadata.as_object_mut().unwrap().extend(changes);
    metadata
}

/// The parameters of the callback after a request of `client` for these scopes.
async fn sent_by(setup: &Setup, client: &str, scopes: &str) -> Value {
    let request = setup.request(scopes).with("client_id", client);
    setup.back(&request).await
}

#[tokio::test]
async fn valid_client_is_registered_and_invalid_one_is_rejected() {
    let setup = setup(oauth::server()).await;
    let answer = register(&setup, &native()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(answer.body["client_secret"].is_null());
    let id = answer.text("client_id");
    let back = sent_by(&setup, id, "").await;
    let exchange = setup.exchange(back["code"].as_str().unwrap());
    let answer = setup.token(&exchange.with("client_id", id)).await;
    assert!(answer.body["refresh_token"].is_string(), "{answer:?}");

    let redirect = |uri: &str| native_with(json!({"redirect_uris": [uri]}));
    let (metadata, uri) = ("invalid_client_metadata", "invalid_redirect_uri");
    for (metadata, error) in [
        (native_with(json!({"application_type": null})), uri),
        (native_with(json!({"application_type": "web"})), uri),
        (native_with(json!({"redirect_uris": []})), uri),
        (redirect("http://example.com/callback"), uri),
        (redirect("http://127.0.0.1/callback#here"), uri),
        (redirect("javascript:alert(1)"), uri),
        (native_with(json!({"response_types": ["token"]})), metadata),
        (
            native_with(json!({"token_endpoint_auth_method": "tls_client_auth"})),
            metadata,
        ),
        (json!("no object"), metadata),
    ] {
        let answer = register(&setup, &metadata).await;
        assert_eq!((answer.status, answer.error()), (400, error), "{metadata}");
    }
}

#[tokio::test]
async fn registration_limits_the_scopes_of_a_client() {
    let server = || oauth::server().scopes("read write admin");
    let open = setup(server()).await;
    let limit = Registration::Limited(scopes("read write"));
    let limited = setup(server().registration(limit)).await;
    let named = native_with(json!({"scope": "read admin"}));
    for (setup, metadata, kept, refused) in [
        (&open, native(), None, ""),
        (&open, named.clone(), Some("admin read"), "write"),
        (&limited, native(), Some("read write"), "admin"),
        (&limited, named, Some("read"), "write"),
    ] {
        let answer = register(setup, &metadata).await;
        assert_eq!(answer.body["scope"].as_str(), kept, "{metadata}");
        let id = answer.text("client_id");
        let back = sent_by(setup, id, kept.unwrap_or("admin")).await;
        assert!(back["code"].is_string(), "{back}");
        let back = sent_by(setup, id, refused).await;
        assert_eq!(back["error"].is_null(), refused.is_empty(), "{back}");
    }
    let off = setup(server().registration(Registration::Off)).await;
    assert_eq!(register(&off, &native()).await.status, 404);
}

#[tokio::test]
async fn client_must_use_its_registered_auth_method() {
    let builder = oauth::server().registers_as(AuthMethod::Post);
    let setup = setup(builder).await;
    let answer = register(&setup, &native()).await;
    assert_eq!(
        answer.body["token_endpoint_auth_method"],
        "client_secret_post"
    );
    let (id, secret) = (answer.text("client_id"), answer.text("client_secret"));
    assert!(setup.server.secrets().contains(&secret.to_owned()));
    let back = sent_by(&setup, id, "").await;
    let exchange = setup.exchange(back["code"].as_str().unwrap());
    let exchange = exchange.with("client_id", id);
    assert_eq!(setup.token(&exchange).await.error(), "invalid_client");
    let exchange = exchange.with("client_secret", secret);
    assert_eq!(setup.token(&exchange).await.status, 200);

    setup.server.forget_clients();
    assert_eq!(setup.token(&exchange).await.error(), "invalid_client");
}

/// The credentials of `id` by each method, as headers and parameters.
fn credentials(setup: &Setup, id: &str, key: &Key) -> Vec<(String, Form)> {
    let form = Form::new(&[
        ("grant_type", "client_credentials"),
        ("resource", &setup.upstream.url()),
    ]);
    let named = form.clone().with("client_id", id);
    let encoded: String = url::form_urlencoded::byte_serialize(b"s3cret:+ %").collect();
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{id}:{encoded}"))
    );
    let assertion = key.sign(&claims(id, &setup.server.issuer()));
    vec![
        (String::new(), named.clone()),
        (basic, form),
        (
            String::new(),
            named.clone().with("client_secret", "s3cret:+ %"),
        ),
        (String::new(), asserted(named, &assertion)),
    ]
}

fn asserted(form: Form, assertion: &str) -> Form {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    form.with("client_assertion_type", kind)
        .with("client_assertion", assertion)
}

fn claims(id: &str, audience: &str) -> Value {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let unique = fastrand::u64(..).to_string();
    json!({"iss": id, "sub": id, "aud": audience, "exp": now + 60, "jti": unique})
}

async fn post_form(setup: &Setup, (header, form): &(String, Form)) -> Answer {
    let header = Some(("authorization", header.as_str())).filter(|(_, value)| !value.is_empty());
    let headers: Vec<_> = header.into_iter().collect();
    post(&setup.server.url_of("/token"), &headers, form).await
}

#[tokio::test]
async fn client_credentials_require_client_authentication() {
    let key = Key::es256();
    let secret = "s3cret:+ %";
    let builder = oauth::server()
        .client(client("none"))
        .client(client("basic").secret_basic(secret))
        .client(client("post").secret_post(secret))
        .client(client("jwt").private_key(&key));
    let setup = setup(builder).await;
    for (registered, id) in ["none", "basic", "post", "jwt"].into_iter().enumerate() {
        for (used, way) in credentials(&setup, id, &key).iter().enumerate() {
            let answer = post_form(&setup, way).await;
            let expected = match used == registered {
                true if id == "none" => (400, "unauthorized_client"),
                true => (200, ""),
                false => (401, "invalid_client"),
            };
            let got = (answer.status, answer.error());
            assert_eq!(got, expected, "{id} by way {used}");
            assert!(answer.body["refresh_token"].is_null());
        }
    }
    let ways = credentials(&setup, "post", &key);
    let wrong = ways[2].1.clone().with("client_secret", "guess");
    let answer = post_form(&setup, &(String::new(), wrong)).await;
    assert_eq!(answer.error(), "invalid_client");
    let both = (ways[1].0.clone(), ways[2].1.clone());
    assert_eq!(post_form(&setup, &both).await.error(), "invalid_request");
    assert!(setup.server.secrets().contains(&secret.to_owned()));
}

#[tokio::test]
async fn client_assertion_is_checked_in_every_claim() {
    let (key, other) = (Key::es256(), Key::es256());
    let (rsa, issuer) = (Key::rs256(), "https://example.com");
    assert!(rsa.private_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
    let builder = oauth::server()
        .client(client("jwt").private_key(&key))
        .client(client("rsa").private_key(&rsa));
    let setup = setup(builder).await;
    let here = setup.server.issuer();
    let form = credentials(&setup, "jwt", &key).remove(0).1;
    let answer = async |assertion: &str| {
        let form = asserted(form.clone(), assertion);
        let answer = post_form(&setup, &(String::new(), form)).await;
        (answer.status, answer.error().to_owned())
    };
    let good = claims("jwt", &here);
    let bent = |name: &str, value: Value| {
        let mut claims = claims("jwt", &here);
        claims[name] = value;
        key.sign(&claims)
    };
    let refused = (401, "invalid_client".to_owned());
    assert_eq!(answer(&key.sign(&good)).await.0, 200);
    assert_eq!(answer(&key.sign(&good)).await, refused, "twice");
    assert_eq!(
        answer(&bent("aud", json!([format!("{here}/token")])))
            .await
            .0,
        200
    );
    for (what, assertion) in [
        ("another key", other.sign(&claims("jwt", &here))),
        ("another algorithm", rsa.sign(&claims("jwt", &here))),
        ("named so", key.sign_as("none", &claims("jwt", &here))),
        ("another server", bent("aud", json!(issuer))),
        ("two servers", bent("aud", json!([here, issuer]))),
        ("another client", bent("sub", json!("rsa"))),
        ("expired", bent("exp", json!(1))),
        ("for ever", bent("exp", json!(99_999_999_999_u64))),
        ("no id", bent("jti", Value::Null)),
        ("no token", "a.b.c".to_owned()),
    ] {
        assert_eq!(answer(&assertion).await, refused, "{what}");
    }
    let form = form.with("client_id", "rsa");
    let signed = asserted(form, &rsa.sign(&claims("rsa", &here)));
    assert_eq!(
        post_form(&setup, &(String::new(), signed)).await.status,
        200
    );
}

#[tokio::test]
async fn client_metadata_document_identifies_a_client() {
    let document = |id: &str| {
        let mut document = native();
        document["client_id"] = json!(id);
        document["client_name"] = json!("a client");
        document
    };
    let host = raw::server(move |request| async move {
        let id = format!("http://{}{}", request.header("host").unwrap(), request.path);
        let mut document = document(&id);
        match request.path.as_str() {
            "/other-id" => document["client_id"] = json!("http://127.0.0.1/client"),
            "/secret" => document["token_endpoint_auth_method"] = json!("client_secret_basic"),
            "/nameless" => document["client_name"] = Value::Null,
            "/missing" => return Reply::status(404),
            _ => {}
        }
        Reply::json(document.to_string())
    });
    let known = "https://example.com/client.json";
    let known_document = document(known);
    let with = setup(oauth::server().client_document(known, known_document)).await;
    let without = setup(oauth::server()).await;
    let good = host.url_of("/client");
    for (id, status) in [(known, 303), (good.as_str(), 303)] {
        let back = sent_by(&with, id, "").await;
        let exchange = with.exchange(back["code"].as_str().unwrap());
        let answer = with.token(&exchange.with("client_id", id)).await;
        assert!(
            answer.body["refresh_token"].is_string(),
            "{status} {answer:?}"
        );
    }
    let bad = ["/other-id", "/secret", "/nameless", "/missing", "/"].map(|p| host.url_of(p));
    let bad = bad.map(|id| (&with, id)).into_iter();
    let far = [
        (&with, "https://example.com/other".to_owned()),
        (&without, good),
    ];
    for (setup, id) in bad.chain(far) {
        let request = setup.request("").with("client_id", id.as_str());
        let page = Browser::consenting().redirect(&setup.url(&request)).await;
        assert_eq!(page.unwrap_err().status, 400, "{id}");
    }
}
