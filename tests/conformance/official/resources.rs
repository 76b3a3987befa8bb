//! Resources and templates.

use serde_json::{Value, json};

use crate::official::in_each_pairing;
use crate::official::session::{Session, from_json};
use crate::pairing::Pairing;
use testkit::within;

in_each_pairing! {
    resources_and_templates_are_listed
    text_and_binary_resources_are_read
    templated_resource_is_read
    missing_resource_is_an_error
}

async fn resources_and_templates_are_listed(pairing: Pairing) {
    let session = pairing.connect().await;
    let listed = within("the resources", session.client.list_all_resources()).await;
    let listed = json!(listed.unwrap());
    let uris: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["uri"])
        .collect();
    let expected = [
        "test://static-text",
        "test://static-binary",
        "test://watched-resource",
    ];
    assert_eq!(uris, expected, "{pairing:?}");
    let templates = session.client.list_all_resource_templates();
    let templates = json!(within("the templates", templates).await.unwrap());
    assert_eq!(
        templates[0]["uriTemplate"], "test://template/{id}/data",
        "{pairing:?}"
    );
    assert_eq!(templates[0]["mimeType"], "application/json", "{pairing:?}");
    session.assert_eras();
}

async fn read(session: &Session, uri: &str) -> Value {
    let params = from_json(json!({"uri": uri}));
    let what = format!("{:?}: `{uri}`", session.pairing);
    let read = within(&what, session.client.read_resource(params)).await;
    json!(read.unwrap_or_else(|error| panic!("{what}: {error}")))["contents"].take()
}

async fn text_and_binary_resources_are_read(pairing: Pairing) {
    let session = pairing.connect().await;
    let uri = "test://static-text";
    let text = "This is the content of the static text resource.";
    let expected = json!([{"uri": uri, "mimeType": "text/plain", "text": text}]);
    assert_eq!(read(&session, uri).await, expected, "{pairing:?}");
    let picture = read(&session, "test://static-binary").await;
    let blob = picture[0]["blob"].as_str().unwrap();
    assert!(blob.starts_with("iVBORw0KGgo"), "{pairing:?}: {blob}");
    session.assert_eras();
}

async fn templated_resource_is_read(pairing: Pairing) {
    let session = pairing.connect().await;
    let read = read(&session, "test://template/a%20b/data").await;
    let text = read[0]["text"].as_str().unwrap();
    let text: Value = serde_json::from_str(text).unwrap();
    assert_eq!(text["id"], "a%20b", "{pairing:?}");
    session.assert_eras();
}

async fn missing_resource_is_an_error(pairing: Pairing) {
    let session = pairing.connect().await;
    let params = from_json(json!({"uri": "test://none"}));
    let read = within("an error", session.client.read_resource(params)).await;
    let error = read.unwrap_err().to_string();
    // A modern client knows one code for this error. For a legacy client, the modern code is
    // forwarded unchanged: it has other meanings too.
    let code = match pairing {
        Pairing::LegacyToLegacy => "-32002",
        _ => "-32602",
    };
    assert!(error.contains("Resource not found"), "{pairing:?}: {error}");
    assert!(error.contains(code), "{pairing:?}: {error}");
}
