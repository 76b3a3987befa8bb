//! Logs: the level that a legacy client sets is set at each legacy server that has logs.

use serde_json::json;

use crate::schema::peer::Peer;
use crate::schema::revision::Pair;
use crate::schema::table::{Row, Side, between_legacy, to_legacy};
use testkit::upstream::Upstream;

/// The part of the table that is about logs.
pub(crate) const ROWS: &[Row] = &[
    Row {
        side: Side::Client,
        label: "result of logging/setLevel",
        definition: "EmptyResult",
        when: to_legacy,
    },
    Row {
        side: Side::Upstream,
        label: "logging/setLevel",
        definition: "SetLevelRequest",
        when: between_legacy,
    },
];

/// The client sets a level.
pub(crate) async fn set_level(peer: &mut Peer, pair: Pair, a: &Upstream) {
    if pair.client.is_modern() {
        return;
    }
    peer.get("logging/setLevel", json!({"level": "info"})).await;
    if !pair.upstream.is_modern() {
        a.asked("logging/setLevel").await;
    }
}
