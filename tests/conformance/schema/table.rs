//! The rows of the table, and the pairs in which a message occurs.

use crate::schema::revision::{MODERN, Pair, Revision};
use crate::schema::{logs, to_client, to_upstream};

/// The receiver of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Upstream,
}

use Side::{Client, Upstream};

/// A message that must occur.
pub(crate) struct Row {
    pub(crate) side: Side,
    /// The label of the message, as `message_log` computes it.
    pub(crate) label: &'static str,
    /// The name of the definition in the schema.
    pub(crate) definition: &'static str,
    /// The pairs in which the message occurs.
    pub(crate) when: fn(Pair) -> bool,
}

impl Row {
    /// The JSON pointer to the part of the message that the definition describes.
    pub(crate) fn pointer(&self) -> &'static str {
        let label = self.label;
        match self.definition {
            // The id of the subscription in a notification.
            "RequestId" => "/params/_meta/io.modelcontextprotocol~1subscriptionId",
            "ElicitRequestURLParams" | "ElicitRequestFormParams" => "/params",
            // This definition describes a whole message; other error definitions describe the
            // member.
            "UnsupportedProtocolVersionError" => "",
            _ if label.starts_with("error") => "/error",
            _ if label.starts_with("result of") => "/result",
            _ => "",
        }
    }
}

/// The revision whose schema applies to a message. A probe is always modern.
pub(crate) fn revision(side: Side, label: &str, pair: Pair) -> Revision {
    match (label, side) {
        ("server/discover", _) => MODERN,
        (_, Client) => pair.client,
        (_, Upstream) => pair.upstream,
    }
}

/// Defines the rows of each receiver: `label => definition, when;`.
macro_rules! rows {
    ($($side:ident {$($label:literal => $definition:expr, $when:expr;)*})*) => {
        pub(crate) const ROWS: &[$crate::schema::table::Row] = &[$($($crate::schema::table::Row {
            side: $crate::schema::table::Side::$side,
            label: $label,
            definition: $definition,
            when: $when,
        },)*)*];
    };
}
pub(super) use rows;

/// The table.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    let rows = to_client::ROWS.iter().chain(to_upstream::ROWS);
    rows.chain(logs::ROWS)
}

pub(crate) fn always(_: Pair) -> bool {
    true
}

pub(crate) fn legacy_client(pair: Pair) -> bool {
    !pair.client.is_modern()
}

pub(crate) fn modern_client(pair: Pair) -> bool {
    pair.client.is_modern()
}

pub(crate) fn legacy_upstream(pair: Pair) -> bool {
    !pair.upstream.is_modern()
}

pub(crate) fn modern_upstream(pair: Pair) -> bool {
    pair.upstream.is_modern()
}

pub(crate) fn client_2025_11_25(pair: Pair) -> bool {
    legacy_client(pair) && pair.client.allows_errors_without_id()
}

pub(crate) fn client_before_2025_11_25(pair: Pair) -> bool {
    !pair.client.allows_errors_without_id()
}

pub(crate) fn probed_upstream(pair: Pair) -> bool {
    pair.upstream != Revision("2024-11-05")
}

pub(crate) fn legacy_client_elicited(pair: Pair) -> bool {
    legacy_client(pair) && pair.supports_elicitation()
}

pub(crate) fn modern_client_elicited(pair: Pair) -> bool {
    modern_client(pair) && pair.supports_elicitation()
}

pub(crate) fn legacy_upstream_elicits(pair: Pair) -> bool {
    legacy_upstream(pair) && pair.supports_elicitation()
}

pub(crate) fn legacy_client_gets_urls(pair: Pair) -> bool {
    legacy_client(pair) && pair.supports_url_mode()
}

pub(crate) fn modern_client_gets_urls(pair: Pair) -> bool {
    modern_client(pair) && pair.supports_url_mode()
}

pub(crate) fn legacy_upstream_sends_urls(pair: Pair) -> bool {
    legacy_upstream(pair) && pair.supports_url_mode()
}

pub(crate) fn both_legacy(pair: Pair) -> bool {
    legacy_client(pair) && legacy_upstream(pair)
}

pub(crate) fn upstream_has_tasks(pair: Pair) -> bool {
    pair.upstream.has_tasks()
}

pub(crate) fn both_have_tasks(pair: Pair) -> bool {
    pair.client.has_tasks() && pair.upstream.has_tasks()
}

/// For messages that only have the definition of the JSON-RPC envelope.
pub(crate) const ANY: &str = "";
