//! Server requests during a call: elicitation, sampling, roots.

use rmcp::model::CallToolRequestParams;
use rmcp::service::ServiceError;
use serde_json::{Value, json};

use crate::official::in_each_pairing;
use crate::official::session::{Session, from_json};
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

/// Calls the tool. Returns the text of its result.
async fn call_for_text(session: &Session, tool: &'static str, arguments: Value) -> String {
    let result = session.call(tool, arguments).await;
    assert!(result["isError"] != true, "{:?}: {result}", session.pairing);
    session.assert_eras();
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

/// The server requests that the client received.
fn server_requests(session: &Session) -> Vec<Value> {
    session
        .client
        .service()
        .received
        .borrow()
        .server_requests
        .clone()
}

async fn form_elicitation_reaches_the_user(pairing: Pairing) {
    let session = pairing.connect().await;
    let text = call_for_text(
        &session,
        "test_elicitation",
        json!({"message": "Wer? \"ß\""}),
    )
    .await;
    let content = r#"{"email":"Ünal","username":"Ünal"}"#;
    let expected = format!("Elicitation completed: action=accept, content={content}");
    assert_eq!(text, expected, "{pairing:?}");
    let [request] = &*server_requests(&session) else {
        panic!("{pairing:?}: {:?}", server_requests(&session));
    };
    assert_eq!(request["message"], "Wer? \"ß\"", "{pairing:?}");
    let required = json!(["username", "email"]);
    assert_eq!(
        request["requestedSchema"]["required"], required,
        "{pairing:?}"
    );
}

async fn declined_elicitation_reaches_the_server(pairing: Pairing) {
    let session = pairing.connect().await;
    let arguments = json!({"message": "No, thank you"});
    let text = call_for_text(&session, "test_elicitation", arguments).await;
    let expected = "Elicitation completed: action=decline, content=null";
    assert_eq!(text, expected, "{pairing:?}");
}

async fn form_defaults_of_each_type_arrive(pairing: Pairing) {
    let session = pairing.connect().await;
    call_for_text(&session, "test_elicitation_sep1034_defaults", json!({})).await;
    let properties = &server_requests(&session)[0]["requestedSchema"]["properties"];
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
    let session = pairing.connect().await;
    call_for_text(&session, "test_elicitation_sep1330_enums", json!({})).await;
    let properties = &server_requests(&session)[0]["requestedSchema"]["properties"];
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
    let session = pairing.connect().await;
    let text = call_for_text(&session, "test_sampling", json!({"prompt": "Where?"})).await;
    assert!(text.contains("Paris"), "{pairing:?}: {text}");
    let request = &server_requests(&session)[0];
    assert_eq!(
        request["messages"][0]["content"]["text"], "Where?",
        "{pairing:?}"
    );
    assert_eq!(request["maxTokens"], 100, "{pairing:?}");
}

async fn roots_request_is_answered(pairing: Pairing) {
    let session = pairing.connect().await;
    let text = call_for_text(&session, "test_input_required_result_list_roots", json!({})).await;
    let roots = r#"[{"name":"root","uri":"file:///a b"}]"#;
    assert_eq!(text, format!("The roots are: {roots}"), "{pairing:?}");
}

async fn concurrent_server_requests_are_answered(pairing: Pairing) {
    let session = pairing.connect().await;
    let tool = "test_input_required_result_multiple_inputs";
    let text = call_for_text(&session, tool, json!({})).await;
    for part in ["Paris", "\"Ünal\"", "file:///a b"] {
        assert!(text.contains(part), "{pairing:?}: {text}");
    }
    assert_eq!(server_requests(&session).len(), 3, "{pairing:?}");
}

async fn successive_server_requests_are_answered(pairing: Pairing) {
    let session = pairing.connect().await;
    let text = call_for_text(
        &session,
        "test_input_required_result_multi_round",
        json!({}),
    )
    .await;
    assert_eq!(text, "Ünal likes Ünal", "{pairing:?}");
    let server_requests = server_requests(&session);
    let messages: Vec<_> = server_requests
        .iter()
        .map(|request| &request["message"])
        .collect();
    let expected = [
        "Step 1: What is your name?",
        "Step 2: What is your favorite color?",
    ];
    assert_eq!(messages, expected, "{pairing:?}");
}

async fn request_state_is_returned(pairing: Pairing) {
    let session = pairing.connect().await;
    let tool = "test_input_required_result_request_state";
    assert_eq!(
        call_for_text(&session, tool, json!({})).await,
        "state-ok",
        "{pairing:?}"
    );
    // A forged request state is rejected by the proxy or by the modern server.
    if !pairing.legacy_client() {
        let call = CallToolRequestParams::new(tool).with_request_state("made up");
        let refused = within("the rejection", session.client.call_tool(call)).await;
        let Err(ServiceError::McpError(error)) = refused else {
            panic!("{pairing:?}: {refused:?}");
        };
        assert_eq!(error.code.0, -32602, "{pairing:?}: {error}");
    }
}

async fn all_declared_capabilities_are_used(pairing: Pairing) {
    let session = pairing.connect().await;
    // The tool never completes; the SDK's client and server both limit the number of rounds.
    let call = CallToolRequestParams::new("test_input_required_result_capabilities");
    let result = within("the end of the call", session.client.call_tool(call)).await;
    let failed = result
        .as_ref()
        .map_or(true, |result| result.is_error == Some(true));
    assert!(failed, "{pairing:?}: {result:?}");
    let server_requests = server_requests(&session);
    for member in ["message", "messages"] {
        assert!(
            server_requests
                .iter()
                .any(|request| !request[member].is_null()),
            "{pairing:?}: {server_requests:?}"
        );
    }
    assert!(
        server_requests.contains(&json!("roots")),
        "{pairing:?}: {server_requests:?}"
    );
}

async fn prompt_sends_server_requests_too(pairing: Pairing) {
    // The fixture returns an input request even on a legacy connection, where it is invalid.
    let session = pairing.connect().await;
    let params = from_json(json!({"name": "test_input_required_result_prompt"}));
    let prompt = within("the prompt", session.client.get_prompt(params)).await;
    match pairing {
        Pairing::LegacyToModern | Pairing::ModernToModern => {
            let text = json!(prompt.unwrap())["messages"][0]["content"]["text"].clone();
            assert_eq!(text, "Please go on, given that: \"Ünal\"", "{pairing:?}");
        }
        Pairing::LegacyToLegacy | Pairing::ModernToLegacy => drop(prompt.unwrap_err()),
    }
}
