//! What a server asks its client in the middle of a call: persons, models, roots.

use rmcp::model::CallToolRequestParams;
use rmcp::service::ServiceError;
use serde_json::{Value, json};

use crate::official::in_each_pairing;
use crate::official::session::{Meeting, from_json};
use crate::pairing::Pairing;
use testkit::within;

in_each_pairing! {
    form_elicitation_reaches_the_user
    declined_elicitation_reaches_the_server
    form_defaults_of_each_type_arrive
    form_enums_of_each_kind_arrive
    sampling_request_reaches_the_model
    roots_request_is_answered
    concurrent_server_requests_are_answered
    successive_server_requests_are_answered
    request_state_is_returned
    all_declared_capabilities_are_used
    prompt_sends_server_requests_too
}

/// Calls the tool and gives what it says at the end.
async fn said(meeting: &Meeting, tool: &'static str, arguments: Value) -> String {
    let result = meeting.call(tool, arguments).await;
    assert!(result["isError"] != true, "{:?}: {result}", meeting.pairing);
    meeting.assert_eras();
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

/// What the client was asked.
fn asked(meeting: &Meeting) -> Vec<Value> {
    meeting.client.service().received.borrow().asked.clone()
}

async fn form_elicitation_reaches_the_user(pairing: Pairing) {
    let meeting = pairing.meet().await;
    let text = said(
        &meeting,
        "test_elicitation",
        json!({"message": "Wer? \"ß\""}),
    )
    .await;
    let content = r#"{"email":"Ünal","username":"Ünal"}"#;
    let expected = format!("Elicitation completed: action=accept, content={content}");
    assert_eq!(text, expected, "{pairing:?}");
    let [question] = &*asked(&meeting) else {
        panic!("{pairing:?}: {:?}", asked(&meeting));
    };
    assert_eq!(question["message"], "Wer? \"ß\"", "{pairing:?}");
    let required = json!(["username", "email"]);
    assert_eq!(
        question["requestedSchema"]["required"], required,
        "{pairing:?}"
    );
}

async fn declined_elicitation_reaches_the_server(pairing: Pairing) {
    let meeting = pairing.meet().await;
    let arguments = json!({"message": "No, thank you"});
    let text = said(&meeting, "test_elicitation", arguments).await;
    let expected = "Elicitation completed: action=decline, content=null";
    assert_eq!(text, expected, "{pairing:?}");
}

async fn form_defaults_of_each_type_arrive(pairing: Pairing) {
    let meeting = pairing.meet().await;
    said(&meeting, "test_elicitation_sep1034_defaults", json!({})).await;
    let properties = &asked(&meeting)[0]["requestedSchema"]["properties"];
    for (name, default) in [
        ("name", json!("John Doe")),
        ("age", json!(30)),
        ("score", json!(95.5)),
        ("status", json!("active")),
        ("verified", json!(true)),
    ] {
        assert_eq!(properties[name]["default"], default, "{pairing:?}");
    }
}

async fn form_enums_of_each_kind_arrive(pairing: Pairing) {
    let meeting = pairing.meet().await;
    said(&meeting, "test_elicitation_sep1330_enums", json!({})).await;
    let properties = &asked(&meeting)[0]["requestedSchema"]["properties"];
    let options = json!(["option1", "option2", "option3"]);
    assert_eq!(properties["untitledSingle"]["enum"], options, "{pairing:?}");
    let first = &properties["titledSingle"]["oneOf"][0];
    assert_eq!(
        *first,
        json!({"const": "value1", "title": "First"}),
        "{pairing:?}"
    );
    let names = json!(["Option One", "Option Two", "Option Three"]);
    assert_eq!(properties["legacyEnum"]["enumNames"], names, "{pairing:?}");
    assert_eq!(
        properties["untitledMulti"]["items"]["enum"], options,
        "{pairing:?}"
    );
    let third = &properties["titledMulti"]["items"]["anyOf"][2];
    assert_eq!(
        *third,
        json!({"const": "value3", "title": "Third"}),
        "{pairing:?}"
    );
}

async fn sampling_request_reaches_the_model(pairing: Pairing) {
    let meeting = pairing.meet().await;
    let text = said(&meeting, "test_sampling", json!({"prompt": "Where?"})).await;
    assert!(text.contains("Paris"), "{pairing:?}: {text}");
    let question = &asked(&meeting)[0];
    assert_eq!(
        question["messages"][0]["content"]["text"], "Where?",
        "{pairing:?}"
    );
    assert_eq!(question["maxTokens"], 100, "{pairing:?}");
}

async fn roots_request_is_answered(pairing: Pairing) {
    let meeting = pairing.meet().await;
    let text = said(&meeting, "test_input_required_result_list_roots", json!({})).await;
    let roots = r#"[{"name":"root","uri":"file:///a b"}]"#;
    assert_eq!(text, format!("The roots are: {roots}"), "{pairing:?}");
}

async fn concurrent_server_requests_are_answered(pairing: Pairing) {
    let meeting = pairing.meet().await;
    let tool = "test_input_required_result_multiple_inputs";
    let text = said(&meeting, tool, json!({})).await;
    for part in ["Paris", "\"Ünal\"", "file:///a b"] {
        assert!(text.contains(part), "{pairing:?}: {text}");
    }
    assert_eq!(asked(&meeting).len(), 3, "{pairing:?}");
}

async fn successive_server_requests_are_answered(pairing: Pairing) {
    let meeting = pairing.meet().await;
    let text = said(
        &meeting,
        "test_input_required_result_multi_round",
        json!({}),
    )
    .await;
    assert_eq!(text, "Ünal likes Ünal", "{pairing:?}");
    let asked = asked(&meeting);
    let messages: Vec<_> = asked.iter().map(|asked| &asked["message"]).collect();
    let expected = [
        "Step 1: What is your name?",
        "Step 2: What is your favorite color?",
    ];
    assert_eq!(messages, expected, "{pairing:?}");
}

async fn request_state_is_returned(pairing: Pairing) {
    let meeting = pairing.meet().await;
    let tool = "test_input_required_result_request_state";
    assert_eq!(
        said(&meeting, tool, json!({})).await,
        "state-ok",
        "{pairing:?}"
    );
    // A legacy client holds no state, and a legacy server gives none: one made up is the proxy's to
    // refuse, as a modern server does.
    if !pairing.legacy_client() {
        let call = CallToolRequestParams::new(tool).with_request_state("made up");
        let refused = within("a refusal", meeting.client.call_tool(call)).await;
        let Err(ServiceError::McpError(error)) = refused else {
            panic!("{pairing:?}: {refused:?}");
        };
        assert_eq!(error.code.0, -32602, "{pairing:?}: {error}");
    }
}

async fn all_declared_capabilities_are_used(pairing: Pairing) {
    let meeting = pairing.meet().await;
    // It never has enough, which both the SDK's client and its server end at some time.
    let call = CallToolRequestParams::new("test_input_required_result_capabilities");
    let result = within("an end", meeting.client.call_tool(call)).await;
    let gave_up = result
        .as_ref()
        .map_or(true, |result| result.is_error == Some(true));
    assert!(gave_up, "{pairing:?}: {result:?}");
    let asked = asked(&meeting);
    for wanted in ["message", "messages"] {
        assert!(
            asked.iter().any(|asked| !asked[wanted].is_null()),
            "{pairing:?}: {asked:?}"
        );
    }
    assert!(asked.contains(&json!("roots")), "{pairing:?}: {asked:?}");
}

async fn prompt_sends_server_requests_too(pairing: Pairing) {
    // The fixture gives a legacy client no other answer than the one that only modern ones take.
    let meeting = pairing.meet().await;
    let params = from_json(json!({"name": "test_input_required_result_prompt"}));
    let prompt = within("the prompt", meeting.client.get_prompt(params)).await;
    match pairing {
        Pairing::LegacyToModern | Pairing::ModernToModern => {
            let text = json!(prompt.unwrap())["messages"][0]["content"]["text"].clone();
            assert_eq!(text, "Please go on, given that: \"Ünal\"", "{pairing:?}");
        }
        Pairing::LegacyToLegacy | Pairing::ModernToLegacy => drop(prompt.unwrap_err()),
    }
}
