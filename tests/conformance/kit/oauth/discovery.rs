//! Metadata documents: their URLs and contents.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::oauth::raw_client::{get, setup};
use testkit::Endpoint;
use testkit::http::{initialize, post};
use testkit::oauth::{self, Challenge, Document, Iss, Place, Registration};
use testkit::upstream;

#[tokio::test]
async fn metadata_is_served_at_the_chosen_urls_only() {
    use Document::{OAuth, OidcAppended, OidcInserted};
    let places = |path: &str| {
        [
            (
                OAuth,
                format!("/.well-known/oauth-authorization-server{path}"),
            ),
            (
                OidcInserted,
                format!("/.well-known/openid-configuration{path}"),
            ),
            (
                OidcAppended,
                format!("{path}/.well-known/openid-configuration"),
            ),
        ]
    };
    for chosen in [vec![OAuth], vec![OidcInserted], vec![OidcAppended], vec![]] {
        let server = oauth::server().issuer_path("/tenant");
        let server = server.documents(chosen.clone()).start().await;
        let origin = server.issuer().replace("/tenant", "");
        for (document, path) in places("/tenant") {
            let answer = get(&format!("{origin}{path}")).await;
            let there = chosen.contains(&document);
            assert_eq!(answer.status, if there { 200 } else { 404 }, "{path}");
            if there {
                assert_eq!(answer.body["issuer"], server.issuer());
                assert_eq!(answer.body["token_endpoint"], server.url_of("/token"));
            }
        }
    }
}

#[tokio::test]
async fn metadata_states_what_the_server_supports() {
    let plain = oauth::server().start().await;
    let rich = oauth::server()
        .scopes("read")
        .offline_access()
        .client_documents()
        .device_grant(Duration::from_secs(1));
    let rich = rich.start().await;
    let poor = oauth::server().registration(Registration::Off);
    let poor = poor.iss(Iss::Off).without_revocation();
    let changed = json!({"code_challenge_methods_supported": null, "token_endpoint": "file:///x"});
    let poor = poor.metadata_with(changed).start().await;
    let of = async |server: &oauth::Server| {
        let place = "/.well-known/oauth-authorization-server";
        get(&server.url_of(place)).await.body
    };
    let (plain, rich, poor) = (of(&plain).await, of(&rich).await, of(&poor).await);
    for (member, in_plain, in_rich, in_poor) in [
        ("registration_endpoint", true, true, false),
        ("revocation_endpoint", true, true, false),
        ("code_challenge_methods_supported", true, true, false),
        (
            "authorization_response_iss_parameter_supported",
            true,
            true,
            false,
        ),
        ("device_authorization_endpoint", false, true, false),
        ("client_id_metadata_document_supported", false, true, false),
        ("scopes_supported", false, true, false),
    ] {
        let has = |document: &Value| !document[member].is_null();
        let got = (has(&plain), has(&rich), has(&poor));
        assert_eq!(got, (in_plain, in_rich, in_poor), "{member}");
    }
    assert_eq!(rich["scopes_supported"], json!(["offline_access", "read"]));
    assert_eq!(poor["token_endpoint"], "file:///x");
}

#[tokio::test]
async fn protected_upstream_publishes_resource_metadata() {
    let server = oauth::server().start().await;
    let well_known = "/.well-known/oauth-protected-resource";
    for (place, path, paths) in [
        (Place::Path, format!("{well_known}/mcp"), [200, 404, 401]),
        (Place::Root, well_known.to_owned(), [404, 200, 401]),
        (
            Place::Hidden,
            "/about/this-resource".to_owned(),
            [404, 404, 200],
        ),
        (Place::Nowhere, String::new(), [404, 404, 401]),
    ] {
        let upstream = oauth::protect(&server, upstream::modern()).place(place);
        let upstream = upstream.scopes("read").start().await;
        let candidates = [
            &format!("{well_known}/mcp"),
            well_known,
            "/about/this-resource",
        ];
        for (candidate, status) in candidates.into_iter().zip(paths) {
            let answer = get(&upstream.raw.url_of(candidate)).await;
            assert_eq!(answer.status, status, "{place:?} {candidate}");
        }
        if place == Place::Nowhere {
            continue;
        }
        let url = upstream.raw.url_of(&path);
        assert_eq!(upstream.metadata_url(), url);
        let document = get(&url).await.body;
        assert_eq!(document["resource"], upstream.url());
        assert_eq!(document["authorization_servers"], json!([server.issuer()]));
        let response = post(&upstream.url(), &[], initialize()).await;
        assert_eq!(response.status(), 401);
        let challenge = format!("Bearer resource_metadata=\"{url}\", scope=\"read\"");
        assert_eq!(response.headers()["www-authenticate"], challenge.as_str());
    }
}

#[tokio::test]
async fn challenge_and_document_can_be_set_by_a_test() {
    let setup = setup(oauth::server()).await;
    let text = Challenge::Text("Basic realm=\"x\", Bearer at={metadata}".to_owned());
    for (challenge, expected) in [
        (Challenge::WithoutMetadata, Some("Bearer".to_owned())),
        (Challenge::Missing, None),
        (text, Some("Basic realm=\"x\", Bearer at=".to_owned())),
    ] {
        let upstream = oauth::protect(&setup.server, upstream::modern());
        let members = json!({"resource": "https://example.com", "scopes_supported": []});
        let upstream = upstream.challenge(challenge).document_with(members);
        let upstream = upstream.start().await;
        let response = post(&upstream.url(), &[], initialize()).await;
        assert_eq!(response.status(), 401);
        let header = response.headers().get("www-authenticate");
        let header = header.map(|header| header.to_str().unwrap());
        let expected = expected.map(|expected| match expected.ends_with("at=") {
            true => expected + &upstream.metadata_url(),
            false => expected,
        });
        assert_eq!(header, expected.as_deref());
        let document = get(&upstream.metadata_url()).await.body;
        assert_eq!(document["resource"], "https://example.com");
        assert_eq!(document["scopes_supported"], json!([]));
    }
}
