//! `docs/client-metadata.json`: the client ID metadata document of this program.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::security::setup;
use testkit::oauth::{self, Browser, Part};

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/client-metadata.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn words(value: &Value) -> BTreeSet<&str> {
    let list = value.as_array().unwrap().iter();
    list.map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn client_metadata_document_meets_the_draft() {
    let document = document();
    let id = url::Url::parse(document["client_id"].as_str().unwrap()).unwrap();
    // draft-ietf-oauth-client-id-metadata-document-00 § 3.
    assert!(id.scheme() == "https" && id.path().len() > 1 && id.query().is_none());
    assert!(id.path().ends_with("/client-metadata.json"), "{id}");
    assert!(document.get("client_secret").is_none());
    let redirects = ["http://127.0.0.1/callback", "http://localhost/callback"];
    assert_eq!(document["redirect_uris"], json!(redirects));
    assert_eq!(document["token_endpoint_auth_method"], "none");
}

#[tokio::test]
async fn client_metadata_document_equals_the_registration() {
    let setup = setup(oauth::server().device_grant(std::time::Duration::from_secs(5))).await;
    let client = setup.start(Value::Null).await;
    crate::security::sign_in_by(&client, &Browser::silent()).await;
    let registration = setup.server.requests_for(Part::Registration)[0].json();
    let document = document();
    for member in [
        "client_name",
        "application_type",
        "token_endpoint_auth_method",
    ] {
        assert_eq!(document[member], registration[member], "{member}");
    }
    for member in ["grant_types", "response_types"] {
        assert_eq!(
            words(&document[member]),
            words(&registration[member]),
            "{member}"
        );
    }
    // Without its port (RFC 8252 § 7.3), the redirect URI is one of those in the document.
    let sent = setup.authorization();
    let mut sent = url::Url::parse(sent.get("redirect_uri").unwrap()).unwrap();
    sent.set_port(None).unwrap();
    assert!(
        words(&document["redirect_uris"]).contains(sent.as_str()),
        "{sent}"
    );
}
