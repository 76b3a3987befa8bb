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
        A ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => an_elicitation_passes)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => an_elicitation_becomes_a_request)
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => an_elicitation_becomes_a_result)
        D ("MCP 2026-07-28 § Elicitation, Elicitation Requests" => an_elicitation_passes)
    }
    sampling {
        A ("MCP 2025-11-25 § Sampling, Creating Messages" => sampling_passes)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => sampling_becomes_a_request)
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => sampling_becomes_a_result)
        D ("MCP 2026-07-28 § Sampling, Creating Messages" => sampling_passes)
    }
    roots {
        A ("MCP 2025-11-25 § Roots, Listing Roots" => roots_pass)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => roots_become_a_request)
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => roots_become_a_result)
        D ("MCP 2026-07-28 § Roots, Listing Roots" => roots_pass)
    }
    prompts_that_ask {
        A ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => a_prompt_asks_in_a_request)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_prompt_asks_in_a_result)
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_prompt_asks_in_a_request)
        D ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_prompt_asks_in_a_result)
    }
    reads_that_ask {
        A ("MCP 2025-11-25 § Elicitation, Elicitation Requests" => a_read_asks_in_a_request)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_read_asks_in_a_result)
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_read_asks_in_a_request)
        D ("MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests" => a_read_asks_in_a_result)
    }
    several_at_once {
        A ("MCP 2025-11-25 § Basic, Requests" => two_requests_are_answered_in_any_order)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequests" => two_keys_are_answered_in_any_order)
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequests" => two_requests_are_answered_by_key)
        D ["keys pass as they are, whatever their number"]
    }
    rounds {
        A ("MCP 2025-11-25 § Elicitation, Statefulness" => rounds_of_requests)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => rounds_of_results)
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => rounds_of_requests)
        D ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => rounds_of_results)
    }
    state_alone {
        A ["a legacy upstream keeps its state by itself"]
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Client Requirements" => state_alone_is_sent_back)
        C ["a legacy upstream keeps its state by itself"]
        D ("MCP 2026-07-28 § Multi Round-Trip Requests, InputRequiredResult" => state_alone_passes)
    }
    declined {
        A ("MCP 2025-11-25 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
        B ("MCP 2026-07-28 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
        C ("MCP 2025-11-25 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
        D ("MCP 2026-07-28 § Elicitation, Response Actions" => a_refusal_of_the_user_passes)
    }
    refused_elicitation {
        A ("MCP 2025-11-25 § Elicitation, Error Handling" => an_error_of_the_client_passes)
        B ("MCP 2026-07-28 § Elicitation, Response Actions" => an_error_counts_as_cancelled)
        C ["a modern client has no way to answer by an error"]
        D ["a modern client has no way to answer by an error"]
    }
    refused_sampling {
        A ("MCP 2025-11-25 § Sampling, Error Handling" => an_error_of_the_client_passes)
        B ("MCP 2025-11-25 § Sampling, Error Handling" => an_error_fails_the_call)
        C ["a modern client has no way to answer by an error"]
        D ["a modern client has no way to answer by an error"]
    }
    unanswered {
        A ["a legacy client answers each request by itself"]
        B ["a legacy client answers each request by itself"]
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Error Handling" => what_is_missing_is_asked_for_again)
        D ["the upstream asks again by itself"]
    }
    unknown_state {
        A ["a legacy client has no state to send"]
        B ["a legacy client has no state to send"]
        C ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => state_is_taken_once)
        D ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => the_upstream_judges_its_state)
    }
    url_mode {
        A ("MCP 2025-11-25 § Elicitation, URL Mode Elicitation Requests" => an_url_passes)
        B ("MCP 2025-11-25 § Elicitation, URL Mode Elicitation Requests" => an_url_gets_an_id)
        C ("MCP 2026-07-28 § Elicitation, URL Mode Elicitation Requests" => an_url_loses_its_id)
        D ("MCP 2026-07-28 § Elicitation, URL Mode Elicitation Requests" => an_url_passes)
    }
    completed {
        A ("MCP 2025-11-25 § Elicitation, Completion Notifications for URL Mode Elicitation" => a_completion_passes)
        B ["a modern upstream does not tell of completion"]
        C ("MCP 2026-07-28 § Key Changes, Minor changes" => a_completion_is_dropped)
        D ["a modern upstream does not tell of completion"]
    }
    url_required {
        A ("MCP 2025-11-25 § Elicitation, URL Elicitation Required Error" => the_error_passes)
        B ["a modern upstream must not send this error"]
        C ("MCP 2026-07-28 § Basic, Error Codes" => the_error_becomes_a_result)
        D ["a modern upstream must not send this error"]
    }
    undeclared {
        A ("MCP 2025-11-25 § Lifecycle, Operation" => an_upstream_is_refused)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => a_call_fails)
        C ("MCP 2025-11-25 § Lifecycle, Operation" => an_upstream_is_refused)
        D ["the client that sees it judges for itself"]
    }
    outside_of_requests {
        A ("MCP 2025-11-25 § Transports, Listening for Messages from the Server" => a_client_is_asked_at_any_time)
        B ["a modern upstream asks in answers alone"]
        C ("MCP 2026-07-28 § Stdio, Receiving Messages" => a_modern_client_cannot_be_asked)
        D ["a modern upstream asks in answers alone"]
    }
    cancelled_while_asking {
        A ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => a_cancelled_call_ends_upstream)
        B ("MCP 2026-07-28 § Multi Round-Trip Requests, Server Requirements" => a_cancelled_call_is_not_sent_again)
        C ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => a_cancelled_retry_ends_upstream)
        D ["the retry is a request like any other"]
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
