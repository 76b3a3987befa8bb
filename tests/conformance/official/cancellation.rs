//! Cancellation of a long call.

use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::json;

use crate::official::in_each_pairing;
use crate::pairing::Pairing;
use testkit::within;

in_each_pairing! {
    cancelled_call_ends_at_the_server
}

async fn cancelled_call_ends_at_the_server(pairing: Pairing) {
    let session = pairing.connect().await;
    let call = CallToolRequest::new(CallToolRequestParams::new("test_unending_call"));
    let options = PeerRequestOptions::no_options();
    let sent = session
        .client
        .send_cancellable_request(ClientRequest::CallToolRequest(call), options);
    let call = within("the call to be sent", sent).await.unwrap();
    let mut counts = session.counts.subscribe();
    let begun = counts.wait_for(|counts| counts.unending == 1);
    drop(
        within(&format!("{pairing:?}: the call to begin"), begun)
            .await
            .unwrap(),
    );
    call.cancel(None).await.unwrap();
    let ended = counts.wait_for(|counts| counts.cancelled == 1);
    drop(
        within(&format!("{pairing:?}: the call to end"), ended)
            .await
            .unwrap(),
    );
    // The connection stays usable.
    let result = session.call("test_simple_text", json!({})).await;
    assert!(result["content"].is_array(), "{pairing:?}");
    session.assert_eras();
}
