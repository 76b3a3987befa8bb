//! Server requests: a request of the upstream in legacy eras, an input request in a result in the
//! modern era.

mod conversion;
mod harness;
mod rejected;
mod responses;
mod url_elicitation;

use serde_json::{Value, json};

use conversion::*;
use rejected::*;
use responses::*;
use url_elicitation::*;

crate::translation::rows! {
    elicitation {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => elicitation_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => elicitation_is_sent_as_a_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => elicitation_is_sent_as_a_result)
        modern_to_modern ("MCP 2026-07-28 § Elicitation, Elicitation Requests" => elicitation_passes_unchanged)
    }
    sampling {
        legacy_to_legacy ("MCP 2025-11-25 § Sampling, Creating Messages" => sampling_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => sampling_is_sent_as_a_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => sampling_is_sent_as_a_result)
        modern_to_modern ("MCP 2026-07-28 § Sampling, Creating Messages" => sampling_passes_unchanged)
    }
    roots {
        legacy_to_legacy ("MCP 2025-11-25 § Roots, Listing Roots" => roots_pass_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => roots_are_sent_as_a_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => roots_are_sent_as_a_result)
        modern_to_modern ("MCP 2026-07-28 § Roots, Listing Roots" => roots_pass_unchanged)
    }
    input_during_prompts_get {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => prompt_sends_a_server_request)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => prompt_returns_an_input_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => prompt_sends_a_server_request)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => prompt_returns_an_input_request)
    }
    input_during_resources_read {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => read_sends_a_server_request)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => read_returns_an_input_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => read_sends_a_server_request)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => read_returns_an_input_request)
    }
    concurrent_server_requests {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Requests" => concurrent_requests_are_answered_in_any_order)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequests" => input_requests_are_answered_in_any_order)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequests" => concurrent_requests_are_answered_by_key)
        modern_to_modern ["keys pass unchanged, whatever their number"]
    }
    successive_server_requests {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Statefulness" => successive_requests_are_answered)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => successive_input_requests_are_answered)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => successive_requests_are_answered)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => successive_input_requests_are_answered)
    }
    state_without_requests {
        legacy_to_legacy ["a legacy upstream keeps its own state"]
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => state_without_requests_is_sent_back)
        modern_to_legacy ["a legacy upstream keeps its own state"]
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequiredResult" => state_without_requests_passes_unchanged)
    }
    declined {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Response Actions" => declined_and_cancelled_results_pass_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Elicitation, Response Actions" => declined_and_cancelled_results_pass_unchanged)
        modern_to_legacy ("MCP 2025-11-25 § Elicitation, Response Actions" => declined_and_cancelled_results_pass_unchanged)
        modern_to_modern ("MCP 2026-07-28 § Elicitation, Response Actions" => declined_and_cancelled_results_pass_unchanged)
    }
    refused_elicitation {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Error Handling" => client_error_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Elicitation, Response Actions" => client_error_counts_as_cancelled)
        modern_to_legacy ["a modern client cannot respond with an error"]
        modern_to_modern ["a modern client cannot respond with an error"]
    }
    refused_sampling {
        legacy_to_legacy ("MCP 2025-11-25 § Sampling, Error Handling" => client_error_passes_unchanged)
        legacy_to_modern ("MCP 2025-11-25 § Sampling, Error Handling" => client_error_fails_the_call)
        modern_to_legacy ["a modern client cannot respond with an error"]
        modern_to_modern ["a modern client cannot respond with an error"]
    }
    missing_responses {
        legacy_to_legacy ["a legacy client answers each request separately"]
        legacy_to_modern ["a legacy client answers each request separately"]
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Error Handling" => missing_response_is_requested_again)
        modern_to_modern ["the upstream sends its input requests again"]
    }
    unknown_state {
        legacy_to_legacy ["a legacy client has no state to send"]
        legacy_to_modern ["a legacy client has no state to send"]
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => request_state_is_accepted_once)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => request_state_is_checked_by_the_upstream)
    }
    url_mode {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, URL Mode Elicitation Requests" => url_elicitation_passes_unchanged)
        legacy_to_modern ("MCP 2025-11-25 § Elicitation, URL Mode Elicitation Requests" => url_elicitation_gets_an_id)
        modern_to_legacy ("MCP 2026-07-28 § Elicitation, URL Mode Elicitation Requests" => url_elicitation_loses_its_id)
        modern_to_modern ("MCP 2026-07-28 § Elicitation, URL Mode Elicitation Requests" => url_elicitation_passes_unchanged)
    }
    completed {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Completion Notifications for URL Mode Elicitation" => completion_notification_passes_unchanged)
        legacy_to_modern ["a modern upstream sends no completion notification"]
        modern_to_legacy ("MCP 2026-07-28 § Key Changes, Minor changes" => completion_notification_is_dropped)
        modern_to_modern ["a modern upstream sends no completion notification"]
    }
    url_required {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, URL Elicitation Required Error" => url_required_error_passes_unchanged)
        legacy_to_modern ["a modern upstream must not send this error"]
        modern_to_legacy ("MCP 2026-07-28 § Basic, Error Codes" => url_required_error_becomes_a_result)
        modern_to_modern ["a modern upstream must not send this error"]
    }
    undeclared {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Operation" => undeclared_server_request_is_rejected)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => undeclared_input_request_fails_the_call)
        modern_to_legacy ("MCP 2025-11-25 § Lifecycle, Operation" => undeclared_server_request_is_rejected)
        modern_to_modern ["the client checks it against its own capabilities"]
    }
    outside_of_requests {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Listening for Messages from the Server" => server_request_outside_of_calls_reaches_the_client)
        legacy_to_modern ["a modern upstream sends input requests in results only"]
        modern_to_legacy ("MCP 2026-07-28 § Stdio, Receiving Messages" => server_request_outside_of_calls_is_not_forwarded)
        modern_to_modern ["a modern upstream sends input requests in results only"]
    }
    cancelled_during_a_server_request {
        legacy_to_legacy ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => cancelled_call_is_cancelled_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => cancelled_call_is_not_retried)
        modern_to_legacy ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => cancelled_retry_is_cancelled_upstream)
        modern_to_modern ["the retry is an ordinary request"]
    }
}

/// The capabilities for all server requests.
fn all_capabilities() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}})
}

/// A server request and the client's result, as JSON text.
struct ServerRequest {
    method: &'static str,
    params: &'static str,
    result: &'static str,
}

const ELICITATION: ServerRequest = ServerRequest {
    method: "elicitation/create",
    params: r#"{ "message":"\u00e9","requestedSchema":{"type":"object","properties":{ }},"x":1E2}"#,
    result: r#"{ "action":"accept","content":{"name":"\u00e9","n":1.0},"x":[ ]}"#,
};
const SAMPLING: ServerRequest = ServerRequest {
    method: "sampling/createMessage",
    params: r#"{ "messages":[{"role":"user","content":{"type":"text","text":"\u00e9"}}],"maxTokens":1E2}"#,
    result: r#"{ "role":"assistant","model":"m","content":{"type":"text","text":"\u00e9"},"x":1.0}"#,
};
const ROOTS: ServerRequest = ServerRequest {
    method: "roots/list",
    params: r#"{ "_meta":{"x":1E2}}"#,
    result: r#"{ "roots":[{"uri":"file:\/\/\/é","x":1.0}]}"#,
};
