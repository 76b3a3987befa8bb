//! Every method and feature of MCP, in each pairing of eras: passed unchanged, translated, or
//! handled by the proxy.
//!
//! [`TABLE`] lists the rows. A row has a cell per [`Pairing`]. A cell is one of these:
//!
//! - a test, with the section of the specification that it follows
//! - the reason why no test applies
//!
//! Each group of rows has a file. [`rows!`] generates a test per cell, so that a failure names it.

mod calls;
mod change_notifications;
mod handshake;
mod logging;
mod pairing;
mod results;
mod server_requests;
mod tasks;
mod unknown_methods;

/// A row of the table.
struct Row {
    name: &'static str,
    cells: [Cell; 4],
}

/// A row in one pairing.
enum Cell {
    /// A test, with the section that it follows.
    Tested(&'static str),
    /// No test, for this reason.
    NotApplicable(&'static str),
}

/// Defines rows. A cell `(source => function)` becomes a test, a cell `[reason]` does not.
macro_rules! rows {
    ($($row:ident {
        legacy_to_legacy $a:tt
        legacy_to_modern $b:tt
        modern_to_legacy $c:tt
        modern_to_modern $d:tt
    })*) => {
        pub(crate) const ROWS: &[$crate::translation::Row] = &[$($crate::translation::Row {
            name: stringify!($row),
            cells: [
                $crate::translation::cell!($a),
                $crate::translation::cell!($b),
                $crate::translation::cell!($c),
                $crate::translation::cell!($d),
            ],
        }),*];
        $(mod $row {
            $crate::translation::cell!($row, LegacyToLegacy, legacy_to_legacy, $a);
            $crate::translation::cell!($row, LegacyToModern, legacy_to_modern, $b);
            $crate::translation::cell!($row, ModernToLegacy, modern_to_legacy, $c);
            $crate::translation::cell!($row, ModernToModern, modern_to_modern, $d);
        })*
    };
}

macro_rules! cell {
    (($source:literal => $($test:tt)+)) => {
        $crate::translation::Cell::Tested($source)
    };
    ([$reason:literal]) => {
        $crate::translation::Cell::NotApplicable($reason)
    };
    ($row:ident, $pairing:ident, $name:ident, ($source:literal => $($test:tt)+)) => {
        #[tokio::test]
        async fn $name() {
            eprintln!("row `{}`: {}, by {}", stringify!($row), stringify!($name), $source);
            super::$($test)+($crate::pairing::Pairing::$pairing).await;
        }
    };
    ($row:ident, $pairing:ident, $name:ident, [$reason:literal]) => {};
}

pub(crate) use {cell, rows};

/// The rows of a group, and the message of each row.
type Group = (&'static [Row], &'static [(&'static str, &'static str)]);

/// All rows. `->` marks messages of the client, `<-` those of the upstream.
const TABLE: &[Group] = &[
    (
        handshake::ROWS,
        &[
            ("initialize", "initialize ->"),
            ("initialized", "notifications/initialized ->"),
            ("discover", "server/discover ->"),
            ("capabilities_of_the_server", "capabilities <-"),
            ("capabilities_of_the_client", "capabilities ->"),
            ("metadata", "the keys of the protocol in `_meta` ->"),
            ("headers", "HTTP headers ->"),
            ("param_headers", "x-mcp-header ->"),
            ("stale_param_headers", "error -32020 of outdated headers <-"),
            ("sessions", "sessions of the transport"),
            ("lost_sessions", "what a session held, in the next one"),
        ],
    ),
    (
        results::ROWS,
        &[
            ("result_type", "resultType <-"),
            ("unknown_result_type", "resultType of no known value <-"),
            ("cache_hints", "ttlMs, cacheScope of a read <-"),
            ("cache_hints_of_lists", "ttlMs, cacheScope of listings <-"),
            ("pagination", "nextCursor, cursor"),
            ("error_codes", "error <-"),
            ("resource_not_found", "error of a missing resource <-"),
            ("http_status", "HTTP status with a JSON-RPC body <-"),
            ("errors_of_the_proxy", "errors of the proxy"),
            ("broken_streams", "a broken event stream"),
        ],
    ),
    (
        calls::ROWS,
        &[
            ("tools_list", "tools/list <-"),
            ("unusable_tools", "a tool with an invalid x-mcp-header <-"),
            ("tools_call", "tools/call ->"),
            ("prompts_get", "prompts/get ->"),
            ("resources_read", "resources/read ->"),
            ("completion", "completion/complete"),
            ("lists", "lists of prompts, resources, templates <-"),
            ("ping", "ping ->"),
            ("ping_of_the_server", "ping <-"),
            ("progress", "notifications/progress <-"),
            ("progress_of_the_client", "notifications/progress ->"),
            ("cancelled", "notifications/cancelled ->"),
            ("cancelled_by_the_server", "notifications/cancelled <-"),
        ],
    ),
    (
        logging::ROWS,
        &[
            ("set_level", "logging/setLevel, logLevel ->"),
            ("unknown_level", "an unknown level ->"),
            ("messages", "notifications/message <-"),
            (
                "messages_outside_of_requests",
                "the same, outside any request <-",
            ),
        ],
    ),
    (
        server_requests::ROWS,
        &[
            ("elicitation", "elicitation/create <-"),
            ("sampling", "sampling/createMessage <-"),
            ("roots", "roots/list <-"),
            ("input_during_prompts_get", "the same during prompts/get <-"),
            (
                "input_during_resources_read",
                "the same during resources/read <-",
            ),
            (
                "concurrent_server_requests",
                "several server requests at once <-",
            ),
            (
                "successive_server_requests",
                "several server requests in turn <-",
            ),
            (
                "state_without_requests",
                "requestState without a request <-",
            ),
            ("declined", "action decline ->"),
            ("refused_elicitation", "an error for elicitation/create ->"),
            ("refused_sampling", "an error for sampling ->"),
            ("missing_responses", "a retry without an answer ->"),
            ("unknown_state", "unknown or used requestState ->"),
            ("url_mode", "elicitation in URL mode <-"),
            ("completed", "notifications/elicitation/complete <-"),
            ("url_required", "error -32042 <-"),
            ("undeclared", "undeclared server requests <-"),
            ("outside_of_requests", "server requests outside of calls <-"),
            (
                "cancelled_during_a_server_request",
                "notifications/cancelled meanwhile ->",
            ),
        ],
    ),
    (
        change_notifications::ROWS,
        &[
            ("tools_changed", "notifications/tools/list_changed <-"),
            ("prompts_changed", "notifications/prompts/list_changed <-"),
            (
                "resources_changed",
                "notifications/resources/list_changed <-",
            ),
            ("listen", "subscriptions/listen ->"),
            ("listen_cancelled", "the same, cancelled ->"),
            ("listen_ended", "the same, at shutdown <-"),
            ("listen_lost", "the upstream's stream is lost"),
            ("subscribe", "resources/subscribe ->"),
            ("subscribe_refused", "the same, refused <-"),
            ("unsubscribe", "resources/unsubscribe ->"),
            ("updated", "notifications/resources/updated <-"),
            ("roots_changed", "notifications/roots/list_changed ->"),
        ],
    ),
    (
        tasks::ROWS,
        &[
            ("task_calls", "tools/call with `task`, or answered by one"),
            ("task_methods", "tasks/get, tasks/cancel and the others ->"),
            ("task_status", "notifications/tasks/status <-"),
            ("required_tasks", "execution.taskSupport required <-"),
        ],
    ),
    (
        unknown_methods::ROWS,
        &[
            ("unknown_requests", "unknown requests ->"),
            (
                "unknown_requests_of_several_upstreams",
                "the same with several upstreams ->",
            ),
            ("unknown_notifications", "unknown notifications ->"),
            ("unknown_of_the_server", "the same from the upstream <-"),
        ],
    ),
];

#[test]
fn translation_table_is_complete() {
    for (rows, expected) in TABLE {
        let names: Vec<_> = rows.iter().map(|row| row.name).collect();
        let expected: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected);
    }
    let cells = TABLE.iter().flat_map(|(rows, _)| rows.iter());
    for (row, cell) in cells.flat_map(|row| row.cells.iter().map(move |cell| (row, cell))) {
        match cell {
            Cell::Tested(source) => {
                let revision = source.starts_with("MCP 20") || source.starts_with("RFC");
                assert!(revision && source.contains('§'), "{}: {source}", row.name);
            }
            Cell::NotApplicable(reason) => assert!(reason.len() > 10, "{}: {reason}", row.name),
        }
    }
}
