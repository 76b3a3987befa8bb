//! Logging: the level of a legacy client is set at each legacy server with logging.

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

/// Sets a log level.
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
