//! Sends the input requests of a round to a client of a revision before 2026-07-28.
//!
//! In these revisions, each input request is a server request.

// Sampling and roots are deprecated. They are used because the revisions with them are still in use.
#![allow(deprecated)]

use std::collections::BTreeMap;

use rmcp::model::{InputRequest, InputRequests, InputResponses, ServerRequest};
use rmcp::{ErrorData, Peer, RoleServer};
use serde_json::json;

/// Sends the requests one after another.
///
/// # Errors
/// The error of the client, if it rejects a request.
pub(crate) async fn all(
    client: &Peer<RoleServer>,
    requests: InputRequests,
) -> Result<InputResponses, ErrorData> {
    let mut responses = BTreeMap::new();
    for (key, request) in requests {
        let answer = client.send_request(as_request(request)?).await;
        let answer = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        responses.insert(key, json!(answer));
    }
    Ok(responses)
}

fn as_request(requests: InputRequest) -> Result<ServerRequest, ErrorData> {
    Ok(match requests {
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        _ => return Err(ErrorData::internal_error("no such request", None)),
    })
}
