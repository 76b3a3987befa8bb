//! Logs: the level that a legacy client sets is set at each legacy server that has logs.

use serde_json::json;

use crate::schema::peer::Peer;
use crate::schema::revision::Pair;
use crate::schema::table::{both_legacy, legacy_client, rows};
use testkit::upstream::Upstream;

rows! {
    Client {
        "result of logging/setLevel" => "EmptyResult", legacy_client;
    }
    Upstream {
        "logging/setLevel" => "SetLevelRequest", both_legacy;
    }
}

/// The client sets a level.
pub(crate) async fn set_level(peer: &mut Peer, pair: Pair, a: &Upstream) {
    if pair.client.is_modern() {
        return;
    }
    peer.expect_result("logging/setLevel", json!({"level": "info"}))
        .await;
    if !pair.upstream.is_modern() {
        a.wait_for_request("logging/setLevel").await;
    }
}
