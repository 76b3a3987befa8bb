//! Tests of problems of `oauth` and its variables, and of precedence.

use http::header::AUTHORIZATION;

use super::*;

/// Each line: the keys, and what is reported of them.
fn reported(cases: &[&str]) -> String {
    let lines = cases.iter().map(|keys| {
        let config = read(keys);
        let reported = problems(&config);
        assert!(!reported.is_empty(), "{keys}");
        assert!(!reported.concat().contains(SECRET), "{keys}: {reported:?}");
        let is_error = reported.iter().any(|line| line.starts_with("Error"));
        assert_eq!(config.upstreams.len(), 2 - usize::from(is_error), "{keys}");
        format!("{keys}\n    {}", reported.join("\n    "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_invalid_value_is_reported_with_its_key() {
    let cases = [
        r#""client_id":7"#,
        r#""client_id":"${NOPE}""#,
        r#""client_id":"a","client_secret":"hunter2\nhunter2""#,
        r#""client_id":"a","client_secret":"${no name:-hunter2}""#,
        r#""client_metadata_url":"https://us.example""#,
        r#""client_metadata_url":"https://us.example/a/../hunter2""#,
        r#""client_metadata_url":"https://US.example/c""#,
        r#""client_metadata_url":"https://us.example/c#hunter2""#,
        r#""client_metadata_url":"https://hunter2@us.example/c""#,
        r#""client_metadata_url":"http://us.example/c""#,
        r#""client_metadata_url":"hunter2""#,
        r#""client_id":"a","private_key_pem":"hunter2","signing_algorithm":"ES256""#,
        r#""client_id":"a","private_key_pem":"-----BEGIN PRIVATE KEY-----","signing_algorithm":"HS256""#,
        r#""redirect_uri":"https://localhost:1/callback""#,
        r#""redirect_uri":"http://example.com:1/callback""#,
        r#""redirect_uri":"http://localhost.example.com/callback""#,
        r#""redirect_uri":"http://hunter2@localhost/callback""#,
        r#""redirect_uri":"http://localhost:0/callback""#,
        r#""redirect_uri":"http://localhost:65536/callback""#,
        r#""redirect_uri":"http://localhost:1/a?hunter2""#,
        r#""redirect_uri":"http://localhost:1/a#hunter2""#,
        r#""redirect_uri":"http://localhost:1/a/../b""#,
        r#""callback_port":0"#,
        r#""callback_port":80.5"#,
        r#""callback_port":"+80""#,
        r#""callback_port":true"#,
        r#""scopes":7"#,
        r#""scopes":["a",7]"#,
        r#""scopes":"a \"b\"""#,
        r#""resource":"docs""#,
        r#""resource":"https://a.example/#hunter2""#,
        r#""resource":7"#,
        r#""authorization_server":"as.example""#,
        r#""authorization_server":"https://as.example?hunter2""#,
        r#""authorization_server":"http://as.example""#,
        r#""authorization_server":"https://""#,
        r#""authorize_params":["prompt"]"#,
        r#""authorize_params":{"prompt":true,"scope":"a","state":"b","x":"${NOPE}","y":"a\tb"}"#,
        r#""login":"never""#,
        r#""login_retry":"soon""#,
        r#""login_retry":0"#,
        r#""login_retry":true"#,
        r#""pkce":false"#,
        r#""pkce":"off""#,
        r#""grant":"implicit""#,
        r#""client_id":"a","clientId":"b""#,
        r#""clientID":"a""#,
        r#""audience":"a""#,
    ];
    insta::assert_snapshot!(reported(&cases));
}

#[test]
fn parameters_of_the_flow_cannot_be_configured() {
    for name in [
        "client_id",
        "redirect_uri",
        "response_type",
        "state",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "resource",
    ] {
        let config = read(&format!(r#""authorize_params":{{"{name}":"x"}}"#));
        assert_eq!(config.upstreams.len(), 1, "{name}");
        assert!(
            problems(&config)[0].starts_with("Error oauth.authorize_params: `"),
            "{name}"
        );
    }
}

#[test]
fn a_missing_value_is_reported_with_its_key() {
    let cases = [
        r#""client_secret":"hunter2""#,
        r#""client_id":"a","private_key_pem":"-----BEGIN PRIVATE KEY-----""#,
        r#""client_id":"a","signing_algorithm":"ES256""#,
        r#""private_key_pem":"-----BEGIN PRIVATE KEY-----","signing_algorithm":"ES256""#,
        r#""grant":"client_credentials""#,
        r#""grant":"client_credentials","client_id":"a""#,
        r#""grant":"client_credentials","client_id":7,"client_secret":7"#,
        r#""grant":"client_credentials","client_id":"a","private_key_pem":"x","signing_algorithm":"ES256""#,
        r#""grant":"client_credentials","client_id":"a","private_key_pem":"","signing_algorithm":"""#,
        r#""grant":"jwt_bearer""#,
        r#""grant":"jwt_bearer","assertion":"""#,
        r#""grant":"jwt_bearer","assertion":7"#,
        r#""grant":"enterprise""#,
        r#""grant":"enterprise","idp_client_id":"a","idp_id_token":"b","idp_token_endpoint":"http://idp.example""#,
    ];
    insta::assert_snapshot!(reported(&cases));
}

#[test]
fn an_unused_value_is_reported_and_not_parsed() {
    let key = r#""private_key_pem":"-----BEGIN PRIVATE KEY-----","signing_algorithm":"ES256""#;
    let cases = [
        r#""client_id":"a","client_metadata_url":"https://us.example/c""#,
        &format!(r#""client_id":"a","client_secret":"hunter2",{key}"#),
        r#""redirect_uri":"http://localhost:1/cb","callback_port":2"#,
        r#""assertion":"hunter2","idp_client_id":7,"idp_issuer":"a""#,
        r#""grant":"device","redirect_uri":"hunter2","authorize_params":7,"pkce":"x","login":"manual""#,
        r#""grant":"client_credentials","client_id":"a","client_secret":"hunter2","login":"x","login_retry":"x","client_metadata_url":"x""#,
        r#""grant":"jwt_bearer","assertion":"hunter2","login":"x","idp_id_token":"hunter2""#,
        &format!(r#"{ENTERPRISE},"assertion":"hunter2""#),
    ];
    insta::assert_snapshot!(reported(&cases));
    let both = upstream(&read(cases[1])).oauth.clone().unwrap();
    assert!(both.client_secret.is_none() && both.private_key.is_some());
}

#[test]
fn sign_in_is_on_unless_it_is_off_or_a_header_is_set() {
    let header = r#","headers":{"authorization":"Bearer hunter2"}"#;
    let warning = "Warning oauth: takes precedence over `Authorization` in `headers`, which is not sent; \
               remove one of them";
    type Case<'a> = (&'a str, &'a str, (bool, bool), &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("", "", (true, false), &[]),
        (r#","oauth":null"#, "", (true, false), &[]),
        (r#","oauth":true"#, "", (true, false), &[]),
        (r#","oauth":{}"#, "", (true, false), &[]),
        (r#","oauth":false"#, "", (false, false), &[]),
        (r#","oauth":"off""#, "", (false, false), &[]),
        (r#","oauth":"${NONE:-off}""#, "", (false, false), &[]),
        ("", header, (false, true), &[]),
        (r#","oauth":false"#, header, (false, true), &[]),
        (r#","oauth":{}"#, header, (true, false), &[warning]),
        (r#","oauth":true"#, header, (true, false), &[warning]),
    ];
    for (oauth, headers, expected, reported) in cases {
        let config = read_with(&entry(&format!("{oauth}{headers}")), &[]);
        let upstream = upstream(&config);
        let found = (
            upstream.oauth.is_some(),
            upstream.headers.contains_key(AUTHORIZATION),
        );
        assert_eq!(found, *expected, "{oauth}{headers}");
        assert_eq!(problems(&config), *reported, "{oauth}{headers}");
    }
    let bad = ["on", "${NOPE}"].map(|word| {
        let config = read_with(&entry(&format!(r#","oauth":"{word}""#)), &[]);
        assert_eq!(config.upstreams.len(), 1, "{word}");
        problems(&config).join("\n")
    });
    insta::assert_snapshot!(bad.join("\n"), @r"
    Error oauth: is not a known word; write `off`, or an object of keys
    Error oauth: environment variable `NOPE` is not set; set it, or write `${NOPE:-default}`
    ");
}

#[test]
fn the_variables_of_an_upstream_take_precedence() {
    let id = ("PROXY_MY_DOCS_CLIENT_ID", " var-id\n");
    let secret = ("PROXY_MY_DOCS_CLIENT_SECRET", SECRET);
    let written = r#","oauth":{"client_id":"a","client_secret":"b"}"#;
    let machine = r#","oauth":{"grant":"client_credentials"}"#;
    type Variables<'a> = &'a [(&'a str, &'a str)];
    type Client<'a> = (Option<&'a str>, Option<&'a str>);
    let cases: &[(&str, Variables<'_>, Client<'_>)] = &[
        ("", &[id], (Some("var-id"), None)),
        ("", &[id, secret], (Some("var-id"), Some(SECRET))),
        (written, &[id], (Some("var-id"), Some("b"))),
        (written, &[secret], (Some("a"), Some(SECRET))),
        (
            written,
            &[("PROXY_MY_DOCS_CLIENT_ID", "")],
            (Some("a"), Some("b")),
        ),
        (machine, &[id, secret], (Some("var-id"), Some(SECRET))),
        (r#","oauth":"off""#, &[id], (None, None)),
    ];
    for (oauth, variables, expected) in cases {
        let config = read_with(&entry(oauth), variables);
        assert!(
            problems(&config).is_empty(),
            "{oauth}: {:?}",
            problems(&config)
        );
        let oauth = upstream(&config).oauth.clone().unwrap_or_default();
        let secret = oauth.client_secret.as_ref().map(Secret::expose);
        assert_eq!(
            (oauth.client_id.as_deref(), secret),
            *expected,
            "{variables:?}"
        );
        assert!(
            config.upstreams[0]
                .oauth
                .as_ref()
                .unwrap()
                .client_id
                .is_none()
        );
    }
}

#[test]
fn unusable_variables_are_reported() {
    let header = r#","headers":{"Authorization":"Bearer x"}"#;
    let id = ("PROXY_MY_DOCS_CLIENT_ID", "a");
    let secret = ("PROXY_MY_DOCS_CLIENT_SECRET", SECRET);
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("", &[secret]),
        ("", &[("PROXY_MY_DOCS_CLIENT_ID", "a\u{1b}hunter2")]),
        (header, &[id, secret]),
    ];
    let reported = cases.iter().map(|(rest, variables)| {
        let config = read_with(&entry(rest), variables);
        let oauth = upstream(&config).oauth.as_ref();
        assert!(oauth.is_none_or(|it| it.client_id.is_none() && it.client_secret.is_none()));
        problems(&config).join("\n")
    });
    let reported = reported.collect::<Vec<_>>().join("\n");
    assert!(!reported.contains(SECRET));
    insta::assert_snapshot!(reported, @r"
    Error PROXY_MY_DOCS_CLIENT_SECRET: is a secret without a client; set `PROXY_MY_DOCS_CLIENT_ID` as well
    Error PROXY_MY_DOCS_CLIENT_ID: holds a control character; leave it out
    Warning PROXY_MY_DOCS_CLIENT_ID: is not used, since `headers` holds `Authorization`; remove one of them
    Warning PROXY_MY_DOCS_CLIENT_SECRET: is not used, since `headers` holds `Authorization`; remove one of them
    ");
}

#[test]
fn a_single_upstream_has_variables_too() {
    let variables = [
        ("PROXY_URL", "https://docs.example/mcp"),
        ("PROXY_NAME", "my docs"),
        ("PROXY_MY_DOCS_CLIENT_ID", "a"),
        ("PROXY_MY_DOCS_CLIENT_SECRET", SECRET),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let config = Config::from_environment(&variables.map(owned).into_iter().collect()).unwrap();
    let oauth = config.upstreams[0].oauth.as_ref().unwrap();
    assert_eq!(oauth.client_id.as_deref(), Some("a"));
    assert_eq!(
        oauth.client_secret.as_ref().map(Secret::expose),
        Some(SECRET)
    );
}
