//! Prompts, and completion of prompt arguments and resource templates.

use serde_json::{Value, json};

use crate::official::in_each_pairing;
use crate::official::session::{Session, from_json};
use crate::pairing::Pairing;
use testkit::within;

in_each_pairing! {
    prompts_are_listed_with_their_arguments
    every_kind_of_prompt_arrives
    missing_prompt_argument_is_an_error
    arguments_are_completed
}

async fn prompts_are_listed_with_their_arguments(pairing: Pairing) {
    let session = pairing.connect().await;
    let listed = within("the prompts", session.client.list_all_prompts()).await;
    let listed = json!(listed.unwrap());
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|prompt| &prompt["name"])
        .collect();
    let expected = [
        "test_simple_prompt",
        "test_prompt_with_arguments",
        "test_prompt_with_embedded_resource",
        "test_prompt_with_image",
        "test_input_required_result_prompt",
    ];
    assert_eq!(names, expected, "{pairing:?}");
    let second = json!({"name": "arg2", "description": "The second", "required": true});
    assert_eq!(listed[1]["arguments"][1], second, "{pairing:?}");
    session.assert_eras();
}

async fn get(session: &Session, name: &str, arguments: Value) -> Value {
    let params = from_json(json!({"name": name, "arguments": arguments}));
    let what = format!("{:?}: `{name}`", session.pairing);
    let got = within(&what, session.client.get_prompt(params)).await;
    json!(got.unwrap_or_else(|error| panic!("{what}: {error}")))["messages"].take()
}

async fn every_kind_of_prompt_arrives(pairing: Pairing) {
    let session = pairing.connect().await;
    let simple = get(&session, "test_simple_prompt", json!({})).await;
    let text = json!({"type": "text", "text": "This is a simple prompt for testing."});
    assert_eq!(
        simple,
        json!([{"role": "user", "content": text}]),
        "{pairing:?}"
    );
    let arguments = json!({"arg1": "ä\"", "arg2": ""});
    let with = get(&session, "test_prompt_with_arguments", arguments).await;
    let text = "Prompt with arguments: arg1='ä\"', arg2=''";
    assert_eq!(with[0]["content"]["text"], text, "{pairing:?}");
    let arguments = json!({"resourceUri": "test://a?b=c"});
    let embedded = get(&session, "test_prompt_with_embedded_resource", arguments).await;
    let resource = &embedded[0]["content"]["resource"];
    assert_eq!(resource["uri"], "test://a?b=c", "{pairing:?}");
    let image = get(&session, "test_prompt_with_image", json!({})).await;
    assert_eq!(image[0]["content"]["mimeType"], "image/png", "{pairing:?}");
    session.assert_eras();
}

async fn missing_prompt_argument_is_an_error(pairing: Pairing) {
    let session = pairing.connect().await;
    let params = from_json(json!({"name": "test_prompt_with_arguments"}));
    let got = within("an error", session.client.get_prompt(params)).await;
    let error = got.unwrap_err().to_string();
    assert!(
        error.contains("Missing argument: arg1"),
        "{pairing:?}: {error}"
    );
}

async fn arguments_are_completed(pairing: Pairing) {
    let session = pairing.connect().await;
    let prompt = session
        .client
        .complete_prompt_simple("test_prompt_with_arguments", "arg1", "par");
    let values = within("a completion", prompt).await.unwrap();
    assert_eq!(values, ["paris", "park", "party"], "{pairing:?}");
    let template = "test://template/{id}/data";
    let resource = session
        .client
        .complete_resource_simple(template, "id", "part");
    let values = within("a completion", resource).await.unwrap();
    assert_eq!(values, ["party"], "{pairing:?}");
    session.assert_eras();
}
