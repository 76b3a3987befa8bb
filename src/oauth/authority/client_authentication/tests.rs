//! The chosen authentication method, and what the request then contains.

use std::slice;

use rcgen::KeyPair;

use super::*;
use crate::oauth::tokens::Members;

fn client(method: Option<&str>, secret: Option<&str>) -> ClientInformation {
    ClientInformation {
        issuer: "https://id.example".to_owned(),
        client_id: "a client:1".to_owned(),
        client_secret: secret.map(|secret| Secret::new(secret.to_owned())),
        client_secret_expires_at: None,
        redirect_uris: Vec::new(),
        token_endpoint_auth_method: method.map(str::to_owned),
        other: Members::default(),
    }
}

fn key() -> SigningKey {
    let pem = Secret::new(KeyPair::generate().unwrap().serialize_pem());
    SigningKey::new(&pem, "ES256").unwrap()
}

/// Returns the name of the chosen method.
fn chosen(
    method: Option<&str>,
    secret: Option<&str>,
    key: Option<&SigningKey>,
    supported: Option<&[&str]>,
) -> Result<&'static str, String> {
    let supported = supported.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let client = client(method, secret);
    match ClientAuthentication::choose(&client, key, supported.as_deref()) {
        Ok(ClientAuthentication::None) => Ok("none"),
        Ok(ClientAuthentication::Basic(_)) => Ok("client_secret_basic"),
        Ok(ClientAuthentication::Post(_)) => Ok("client_secret_post"),
        Ok(ClientAuthentication::PrivateKeyJwt(_)) => Ok("private_key_jwt"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_registered_method_is_used() {
    let key = &key();
    let all = Some(&["none", "client_secret_basic", "client_secret_post"][..]);
    for method in [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ] {
        for supported in [None, all, Some(&[][..])] {
            let used = chosen(Some(method), Some("s"), Some(key), supported);
            assert_eq!(used.as_deref(), Ok(method), "{supported:?}");
        }
    }
    for method in ["client_secret_basic", "client_secret_post"] {
        assert_eq!(
            chosen(Some(method), None, None, None),
            Ok("none"),
            "there is no secret"
        );
        assert_eq!(chosen(Some(method), Some(""), None, None), Ok("none"));
    }
}

#[test]
fn a_method_without_credentials_is_an_error_with_a_remedy() {
    let cases = [
        (
            "private_key_jwt",
            "the client is registered for `private_key_jwt`, which needs a key; \
             set `oauth.client_secret`, or `oauth.private_key_pem` and `oauth.signing_algorithm`",
        ),
        (
            "tls_client_auth",
            "the client is registered for `tls_client_auth`, which is not supported; \
             set `oauth.client_secret`, or `oauth.private_key_pem` and `oauth.signing_algorithm`",
        ),
    ];
    for (method, text) in cases {
        assert_eq!(
            chosen(Some(method), Some("s"), None, None).unwrap_err(),
            text
        );
    }
}

#[test]
fn without_a_registered_method_credentials_and_server_decide() {
    let key = &key();
    let (basic, post, none) = ("client_secret_basic", "client_secret_post", "none");
    let cases: [(_, _, Option<&[&str]>, _); 10] = [
        (None, None, None, none),
        (None, None, Some(&[basic]), none),
        (Some("s"), None, None, basic),
        (Some("s"), None, Some(&[post, basic]), basic),
        (Some("s"), None, Some(&[none, post]), post),
        (Some("s"), None, Some(&[none]), none),
        (Some("s"), None, Some(&[]), basic),
        (None, Some(key), None, "private_key_jwt"),
        (Some("s"), Some(key), Some(&[basic]), "private_key_jwt"),
        (Some(""), None, Some(&[post]), none),
    ];
    for (secret, key, supported, expected) in cases {
        for method in [None, Some("")] {
            let used = chosen(method, secret, key, supported);
            assert_eq!(used.as_deref(), Ok(expected), "{secret:?} {supported:?}");
        }
    }
}

/// Returns the header, and the parameters besides `grant_type`.
fn applied(
    authentication: ClientAuthentication<'_>,
    id: &str,
) -> (Option<String>, Vec<(String, String)>) {
    let mut form: Form<'_> = vec![
        ("grant_type".into(), "x".into()),
        ("client_id".into(), id.into()),
    ];
    let header = authentication
        .apply(&mut form, id, "https://id.example")
        .unwrap();
    let header = header.map(|value| {
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    });
    assert_eq!(form.remove(0).0, "grant_type");
    let pairs = form.into_iter();
    (
        header,
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    )
}

#[test]
fn each_method_sends_its_secret_in_one_place_only() {
    let secret = Secret::new("p:ss wörd+%".to_owned());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let id = pair("client_id", "a client:1");

    let public = applied(ClientAuthentication::None, "a client:1");
    assert_eq!(public, (None, vec![id.clone()]));

    let post = applied(ClientAuthentication::Post(&secret), "a client:1");
    assert_eq!(
        post,
        (None, vec![id.clone(), pair("client_secret", "p:ss wörd+%")])
    );

    let (header, form) = applied(ClientAuthentication::Basic(&secret), "a client:1");
    let expected = BASE64_STANDARD.encode("a+client%3A1:p%3Ass+w%C3%B6rd%2B%25");
    assert_eq!(header, Some(format!("Basic {expected}")));
    // Two methods at once are forbidden (RFC 6749 § 2.3); `client_id` alone is not a method.
    assert_eq!(form, slice::from_ref(&id));

    let key = key();
    let (header, form) = applied(ClientAuthentication::PrivateKeyJwt(&key), "a client:1");
    assert_eq!(header, None);
    assert_eq!(
        form[..2],
        [id, pair("client_assertion_type", ASSERTION_TYPE)]
    );
    assert_eq!((form[2].0.as_str(), form.len()), ("client_assertion", 3));
    assert_ne!(
        form,
        applied(ClientAuthentication::PrivateKeyJwt(&key), "a client:1").1,
        "each is valid once"
    );

    assert_eq!(
        applied(ClientAuthentication::None, ""),
        (None, vec![]),
        "no client id"
    );
}
