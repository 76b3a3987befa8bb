//! What a row of the table is, and between whom a message is seen.

use crate::schema::revision::{MODERN, Pair, Revision};
use crate::schema::{logs, to_client, to_upstream};

/// Whom a message reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Upstream,
}

use Side::{Client, Upstream};

/// A message that is to be seen.
pub(crate) struct Row {
    pub(crate) side: Side,
    /// As `log` makes it.
    pub(crate) label: &'static str,
    /// The definition, by its name in the schema.
    pub(crate) definition: &'static str,
    /// Between whom it is seen.
    pub(crate) when: fn(Pair) -> bool,
}

impl Row {
    /// The part of the message that the definition is of, as a JSON pointer.
    pub(crate) fn pointer(&self) -> &'static str {
        let label = self.label;
        match self.definition {
            // The tag of what is told to a subscription.
            "RequestId" => "/params/_meta/io.modelcontextprotocol~1subscriptionId",
            "ElicitRequestURLParams" | "ElicitRequestFormParams" => "/params",
            // A whole message; the others are of the member.
            "UnsupportedProtocolVersionError" => "",
            _ if label.starts_with("error") => "/error",
            _ if label.starts_with("result of") => "/result",
            _ => "",
        }
    }
}

/// The revision by whose schema a message is checked: a probe is modern, whomever it reaches.
pub(crate) fn revision(side: Side, label: &str, pair: Pair) -> Revision {
    match (label, side) {
        ("server/discover", _) => MODERN,
        (_, Client) => pair.client,
        (_, Upstream) => pair.upstream,
    }
}

/// Makes rows, by whom they reach: `label => definition, when;`.
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

/// For what has no definition but that of its JSON-RPC message.
pub(crate) const ANY: &str = "";
