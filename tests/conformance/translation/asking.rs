//! What an upstream asks of the client's user or model while it serves a request: in the legacy
//! eras by a request of its own, in the modern one by a result that asks for a retry.

mod answers;
mod refusals;
mod scenes;
mod urls;
mod ways;

use serde_json::{Value, json};

use answers::*;
use refusals::*;
use urls::*;
use ways::*;

crate::translation::rows! {
    elicitation {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => an_elicitation_passes)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => an_elicitation_becomes_a_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => an_elicitation_becomes_a_result)
        modern_to_modern ("MCP 2026-07-28 § Elicitation, Elicitation Requests" => an_elicitation_passes)
    }
    sampling {
        legacy_to_legacy ("MCP 2025-11-25 § Sampling, Creating Messages" => sampling_passes)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => sampling_becomes_a_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => sampling_becomes_a_result)
        modern_to_modern ("MCP 2026-07-28 § Sampling, Creating Messages" => sampling_passes)
    }
    roots {
        legacy_to_legacy ("MCP 2025-11-25 § Roots, Listing Roots" => roots_pass)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => roots_become_a_request)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => roots_become_a_result)
        modern_to_modern ("MCP 2026-07-28 § Roots, Listing Roots" => roots_pass)
    }
    prompts_that_ask {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => a_prompt_asks_in_a_request)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_prompt_asks_in_a_result)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_prompt_asks_in_a_request)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_prompt_asks_in_a_result)
    }
    reads_that_ask {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => a_read_asks_in_a_request)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_read_asks_in_a_result)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_read_asks_in_a_request)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_read_asks_in_a_result)
    }
    several_at_once {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Requests" => two_requests_are_answered_in_any_order)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequests" => two_keys_are_answered_in_any_order)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequests" => two_requests_are_answered_by_key)
        modern_to_modern ["keys pass as they are, whatever their number"]
    }
    rounds {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Statefulness" => rounds_of_requests)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => rounds_of_results)
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => rounds_of_requests)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => rounds_of_results)
    }
    state_alone {
        legacy_to_legacy ["a legacy upstream keeps its state by itself"]
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => state_alone_is_sent_back)
        modern_to_legacy ["a legacy upstream keeps its state by itself"]
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequiredResult" => state_alone_passes)
    }
    declined {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
        legacy_to_modern ("MCP 2026-07-28 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
        modern_to_legacy ("MCP 2025-11-25 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
        modern_to_modern ("MCP 2026-07-28 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
    }
    refused_elicitation {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Error Handling" => an_error_of_the_client_passes)
        legacy_to_modern ("MCP 2026-07-28 § Elicitation, Response Actions" => an_error_counts_as_cancelled)
        modern_to_legacy ["a modern client has no way to answer by an error"]
        modern_to_modern ["a modern client has no way to answer by an error"]
    }
    refused_sampling {
        legacy_to_legacy ("MCP 2025-11-25 § Sampling, Error Handling" => an_error_of_the_client_passes)
        legacy_to_modern ("MCP 2025-11-25 § Sampling, Error Handling" => an_error_fails_the_call)
        modern_to_legacy ["a modern client has no way to answer by an error"]
        modern_to_modern ["a modern client has no way to answer by an error"]
    }
    unanswered {
        legacy_to_legacy ["a legacy client answers each request by itself"]
        legacy_to_modern ["a legacy client answers each request by itself"]
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Error Handling" => what_is_missing_is_asked_for_again)
        modern_to_modern ["the upstream asks again by itself"]
    }
    unknown_state {
        legacy_to_legacy ["a legacy client has no state to send"]
        legacy_to_modern ["a legacy client has no state to send"]
        modern_to_legacy ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => state_is_taken_once)
        modern_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => the_upstream_judges_its_state)
    }
    url_mode {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, URL Mode Elicitation Requests" => an_url_passes)
        legacy_to_modern ("MCP 2025-11-25 § Elicitation, URL Mode Elicitation Requests" => an_url_gets_an_id)
        modern_to_legacy ("MCP 2026-07-28 § Elicitation, URL Mode Elicitation Requests" => an_url_loses_its_id)
        modern_to_modern ("MCP 2026-07-28 § Elicitation, URL Mode Elicitation Requests" => an_url_passes)
    }
    completed {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, Completion Notifications for URL Mode Elicitation" => a_completion_passes)
        legacy_to_modern ["a modern upstream does not tell of completion"]
        modern_to_legacy ("MCP 2026-07-28 § Key Changes, Minor changes" => a_completion_is_dropped)
        modern_to_modern ["a modern upstream does not tell of completion"]
    }
    url_required {
        legacy_to_legacy ("MCP 2025-11-25 § Elicitation, URL Elicitation Required Error" => the_error_passes)
        legacy_to_modern ["a modern upstream must not send this error"]
        modern_to_legacy ("MCP 2026-07-28 § Basic, Error Codes" => the_error_becomes_a_result)
        modern_to_modern ["a modern upstream must not send this error"]
    }
    undeclared {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Operation" => an_upstream_is_refused)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => a_call_fails)
        modern_to_legacy ("MCP 2025-11-25 § Lifecycle, Operation" => an_upstream_is_refused)
        modern_to_modern ["the client that sees it judges for itself"]
    }
    outside_of_requests {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Listening for Messages from the Server" => a_client_is_asked_at_any_time)
        legacy_to_modern ["a modern upstream asks in answers alone"]
        modern_to_legacy ("MCP 2026-07-28 § Stdio, Receiving Messages" => a_modern_client_cannot_be_asked)
        modern_to_modern ["a modern upstream asks in answers alone"]
    }
    cancelled_while_asking {
        legacy_to_legacy ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => a_cancelled_call_ends_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => a_cancelled_call_is_not_sent_again)
        modern_to_legacy ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => a_cancelled_retry_ends_upstream)
        modern_to_modern ["the retry is a request like any other"]
    }
}

/// What a client says that can be asked everything.
fn everything() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}})
}

/// A request of a server and what a client answers, as both write them.
struct Ask {
    method: &'static str,
    params: &'static str,
    result: &'static str,
}

const ELICITATION: Ask = Ask {
    method: "elicitation/create",
    params: r#"{ "message":"\u00e9","requestedSchema":{"type":"object","properties":{ }},"x":1E2}"#,
    result: r#"{ "action":"accept","content":{"name":"\u00e9","n":1.0},"x":[ ]}"#,
};
const SAMPLING: Ask = Ask {
    method: "sampling/createMessage",
    params: r#"{ "messages":[{"role":"user","content":{"type":"text","text":"\u00e9"}}],"maxTokens":1E2}"#,
    result: r#"{ "role":"assistant","model":"m","content":{"type":"text","text":"\u00e9"},"x":1.0}"#,
};
const ROOTS: Ask = Ask {
    method: "roots/list",
    params: r#"{ "_meta":{"x":1E2}}"#,
    result: r#"{ "roots":[{"uri":"file:\/\/\/é","x":1.0}]}"#,
};
