//! Asks a client of a revision before 2026-07-28 what a round wants: there, each is a request to it.

// Sampling and roots are deprecated, and asked for because the revisions that have them are
// still spoken.
#![allow(deprecated)]

use std::collections::BTreeMap;

use rmcp::model::{InputRequest, InputRequests, InputResponses, ServerRequest};
use rmcp::{ErrorData, Peer, RoleServer};
use serde_json::json;

/// Sends every request, one after the other.
///
/// # Errors
/// Whatever the client refuses one with.
pub(crate) async fn all(
    client: &Peer<RoleServer>,
    wanted: InputRequests,
) -> Result<InputResponses, ErrorData> {
    let mut responses = BTreeMap::new();
    for (key, request) in wanted {
        let answer = client.send_request(as_request(request)?).await;
        let answer = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        responses.insert(key, json!(answer));
    }
    Ok(responses)
}

fn as_request(wanted: InputRequest) -> Result<ServerRequest, ErrorData> {
    Ok(match wanted {
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        _ => return Err(ErrorData::internal_error("no such request", None)),
    })
}
