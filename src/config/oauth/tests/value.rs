//! Tests of the value of each key in `oauth`.

use std::fmt::Debug;
use std::time::Duration;

use super::*;

const PEM: &str = "-----BEGIN PRIVATE KEY-----\\nhunter2\\n-----END PRIVATE KEY-----";

/// The value of these `keys`, which must be valid.
fn good(keys: &str) -> OAuth {
    let config = read(keys);
    assert!(
        problems(&config).is_empty(),
        "{keys}: {:?}",
        problems(&config)
    );
    assert!(!format!("{config:?}").contains(SECRET), "{keys}");
    upstream(&config).oauth.clone().unwrap()
}

/// Checks the value of `field` for each of `cases`.
fn each<T: PartialEq + Debug>(cases: &[(&str, T)], field: impl Fn(OAuth) -> T) {
    for (keys, expected) in cases {
        assert_eq!(field(good(keys)), *expected, "{keys}");
    }
}

fn text(secret: &Secret) -> String {
    secret.expose().to_owned()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_client_is_read() {
    let id = [
        ("", None),
        (r#""client_id":" abc ""#, some("abc")),
        (r#""clientId":"${ID}""#, some("id-of-us")),
        (r#""client_id":"${NONE:-}""#, None),
        (r#""client_id":null"#, None),
    ];
    each(&id, |it| it.client_id);
    let secret = [
        (r#""client_id":"a""#, None),
        (
            r#""client_id":"a","client_secret":"${SECRET}""#,
            some(SECRET),
        ),
        (r#""client_id":"a","clientSecret":"hunter2""#, some(SECRET)),
    ];
    each(&secret, |it| it.client_secret.as_ref().map(text));
    let metadata = [
        ("", None),
        (
            r#""client_metadata_url":"https://us.example/client.json""#,
            some("https://us.example/client.json"),
        ),
        (
            r#""clientMetadataUrl":"http://localhost:7/c?v=${WORD}""#,
            some("http://localhost:7/c?v=device"),
        ),
    ];
    each(&metadata, |it| it.client_metadata_url.map(String::from));
}

#[test]
fn a_private_key_is_read_with_its_algorithm() {
    for algorithm in PrivateKey::ALGORITHMS {
        let spelled = algorithm.to_lowercase();
        let key = good(&format!(
            r#""client_id":"a","privateKeyPem":"{PEM}","signingAlgorithm":"{spelled}""#
        ));
        let key = key.private_key.unwrap();
        assert_eq!(key.algorithm, algorithm);
        assert_eq!(key.pem.expose(), PEM.replace("\\n", "\n"));
    }
    let entry = entry(
        r#","oauth":{"client_id":"a","private_key_pem":"${PEM}","signing_algorithm":"ES256"}"#,
    );
    let of_variable = read_with(
        &entry,
        &[("PEM", &format!("{}\n", PEM.replace("\\n", "\n")))],
    );
    let spelled_out = read_with(&entry, &[("PEM", PEM)]);
    for config in [of_variable, spelled_out] {
        let key = upstream(&config)
            .oauth
            .clone()
            .unwrap()
            .private_key
            .unwrap();
        assert_eq!(key.pem.expose(), PEM.replace("\\n", "\n"));
    }
}

#[test]
fn the_redirect_uri_is_read() {
    let field = |it: OAuth| {
        let it = it.redirect_uri?;
        Some(format!(
            "{} {} {:?} {}",
            it.as_str(),
            it.host().as_str(),
            it.port(),
            it.path()
        ))
    };
    let cases = [
        ("", None),
        (
            r#""callback_port":8123"#,
            some("http://localhost:8123/callback localhost Some(8123) /callback"),
        ),
        (
            r#""callbackPort":"8123""#,
            some("http://localhost:8123/callback localhost Some(8123) /callback"),
        ),
        (
            r#""redirect_uri":"http://127.0.0.1:80/oauth/cb""#,
            some("http://127.0.0.1:80/oauth/cb 127.0.0.1 Some(80) /oauth/cb"),
        ),
        (
            r#""redirectUri":"http://[::1]/""#,
            some("http://[::1]/ [::1] None /"),
        ),
        (
            r#""redirect_uri":"http://localhost:9""#,
            some("http://localhost:9 localhost Some(9) /"),
        ),
    ];
    each(&cases, field);

    let with_port = |text: &str| RedirectUri::parse(text).unwrap().with_port(4000);
    assert_eq!(with_port("http://127.0.0.1/cb"), "http://127.0.0.1:4000/cb");
    assert_eq!(with_port("http://[::1]"), "http://[::1]:4000");
    assert_eq!(with_port("http://localhost:9/cb"), "http://localhost:9/cb");
}

#[test]
fn the_parameters_of_requests_are_as_written() {
    let list = |scopes: &[&str]| Some(scopes.iter().map(ToString::to_string).collect());
    let scopes: [(_, Option<Vec<String>>); 7] = [
        ("", None),
        (r#""scopes":["a","b:c,d"]"#, list(&["a", "b:c,d"])),
        (r#""scopes":" a  b ""#, list(&["a", "b"])),
        (r#""scope":["a ${WORD}"]"#, list(&["a", "device"])),
        (r#""scopes":[]"#, list(&[])),
        (r#""scopes":"""#, None),
        (r#""scopes":"${NONE:-}""#, None),
    ];
    each(&scopes, |it| it.scopes);

    let uri = |text: &str| Resource::Uri(text.to_owned());
    let resource = [
        ("", Resource::Discovered),
        (r#""resource":"auto""#, Resource::Discovered),
        (r#""resource":true"#, Resource::Discovered),
        (r#""resource":"off""#, Resource::Off),
        (r#""resource":false"#, Resource::Off),
        (
            r#""resource":"HTTPS://a.example""#,
            uri("HTTPS://a.example"),
        ),
        (r#""resource":"api://${ID}""#, uri("api://id-of-us")),
    ];
    each(&resource, |it| it.resource);

    let server = [
        ("", None),
        (
            r#""authorization_server":"https://as.example/x/""#,
            some("https://as.example/x/"),
        ),
        (
            r#""authorizationServer":"http://[::1]:8""#,
            some("http://[::1]:8"),
        ),
    ];
    each(&server, |it| it.authorization_server);

    let pairs = |pairs: &[(&str, &str)]| {
        let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        pairs.iter().map(owned).collect::<Vec<_>>()
    };
    let params = [
        ("", pairs(&[])),
        (
            r#""authorize_params":{"prompt":"consent","audience":"${ID}","unset":"${NONE:-}"}"#,
            pairs(&[("prompt", "consent"), ("audience", "id-of-us")]),
        ),
        (
            r#""authorizeParams":{"a":"1","b":"2","a":"3"}"#,
            pairs(&[("b", "2"), ("a", "3")]),
        ),
    ];
    each(&params, |it| it.authorize_params);
}

#[test]
fn the_login_settings_are_read() {
    each(
        &[
            ("", Login::Auto),
            (r#""login":"auto""#, Login::Auto),
            (r#""login":"Manual""#, Login::Manual),
        ],
        |it| it.login,
    );
    each(
        &[
            ("", Duration::from_secs(600)),
            (r#""login_retry":30"#, Duration::from_secs(30)),
            (r#""loginRetry":"${NONE:-1h}""#, Duration::from_secs(3600)),
        ],
        |it| it.login_retry,
    );
    each(
        &[
            ("", Pkce::Required),
            (r#""pkce":"required""#, Pkce::Required),
            (r#""pkce":"assumed""#, Pkce::Assumed),
        ],
        |it| it.pkce,
    );
}

#[test]
fn every_grant_gets_its_parameters() {
    let enterprise = format!("Enterprise us None {SECRET} None https://idp.example/token?tenant=1");
    let all = format!(
        r#"{ENTERPRISE},"idpClientSecret":"${{SECRET}}","idpIssuer":"https://idp.example/""#
    );
    let key = format!(
        r#""grant":"client_credentials","client_id":"a","private_key_pem":"{PEM}","signing_algorithm":"ES256""#
    );
    let cases = [
        ("", some("AuthorizationCode")),
        (r#""grant":"authorization_code""#, some("AuthorizationCode")),
        (r#""grant":"${WORD}""#, some("Device")),
        (
            r#""grant":"client_credentials","client_id":"a","client_secret":"hunter2""#,
            some("ClientCredentials"),
        ),
        (&key, some("ClientCredentials")),
        (
            r#""grant":"jwt_bearer","assertion":"${SECRET}""#,
            some("JwtBearer hunter2"),
        ),
        (ENTERPRISE, Some(enterprise)),
        (
            &all,
            some(
                "Enterprise us Some(\"hunter2\") hunter2 Some(\"https://idp.example/\") \
                 https://idp.example/token?tenant=1",
            ),
        ),
    ];
    each(&cases, |it| match it.grant {
        GrantChoice::AuthorizationCode => some("AuthorizationCode"),
        GrantChoice::Device => some("Device"),
        GrantChoice::ClientCredentials => some("ClientCredentials"),
        GrantChoice::JwtBearer { assertion } => Some(format!("JwtBearer {}", assertion.expose())),
        GrantChoice::Enterprise(it) => Some(format!(
            "Enterprise {} {:?} {} {:?} {}",
            it.idp_client_id,
            it.idp_client_secret.as_ref().map(text),
            it.idp_id_token.expose(),
            it.idp_issuer,
            it.idp_token_endpoint
        )),
    });
}
