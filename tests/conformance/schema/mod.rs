//! Every message of the proxy is valid by the JSON schema of the receiver's revision.
//!
//! A client of each revision runs the whole `scenario` with servers of each revision. Every
//! received message (`message_log`) is checked as a JSON-RPC message. It is also checked by its
//! definition in the `table`, with the official `schemas`. A message without a row fails, and so
//! does a row without a message.

mod duplicate_members;
mod logs;
mod message_log;
mod peer;
mod revision;
mod scenario;
mod schemas;
mod server;
mod table;
mod tasks;
mod to_client;
mod to_upstream;

use serde_json::json;

use message_log::{Message, check};
use revision::{Pair, REVISIONS, Revision};
use table::Side;

/// Runs the scenario with a client of this revision and servers of each revision.
async fn check_all_upstreams(client: Revision) {
    for upstream in REVISIONS {
        let pair = Pair { client, upstream };
        let log = scenario::run(pair).await;
        let faults = log.faults(pair);
        assert!(faults.is_empty(), "{pair:?}:\n{}", faults.join("\n"));
    }
}

#[tokio::test]
async fn messages_are_valid_with_a_client_of_2024_11_05() {
    check_all_upstreams(Revision("2024-11-05")).await;
}

#[tokio::test]
async fn messages_are_valid_with_a_client_of_2025_03_26() {
    check_all_upstreams(Revision("2025-03-26")).await;
}

#[tokio::test]
async fn messages_are_valid_with_a_client_of_2025_06_18() {
    check_all_upstreams(Revision("2025-06-18")).await;
}

#[tokio::test]
async fn messages_are_valid_with_a_client_of_2025_11_25() {
    check_all_upstreams(Revision("2025-11-25")).await;
}

#[tokio::test]
async fn messages_are_valid_with_a_client_of_2026_07_28() {
    check_all_upstreams(Revision("2026-07-28")).await;
}

#[test]
fn invalid_messages_are_found_in_every_revision() {
    for client in REVISIONS {
        let pair = Pair {
            client,
            upstream: client,
        };
        let faults = |line: &str| {
            let message = Message::new(Side::Client, line.as_bytes());
            check(&message, pair)
        };
        let whole = r#""resultType":"complete","ttlMs":0,"cacheScope":"private""#;
        let listing = |tools: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":"tools/list#1","result":{{{whole},"tools":{tools}}}}}"#
            )
        };
        let sound = r#"[{"name":"t","inputSchema":{"type":"object"}}]"#;
        assert_eq!(faults(&listing(sound)), [""; 0], "{client:?}");

        let broken = [
            listing("{}"),
            listing(r#"[{"name":"t"}]"#),
            listing(r#"[{"name":1,"inputSchema":{"type":"object"}}]"#),
            listing(sound).replace("2.0", "1.0"),
            listing(sound).replace(r#""result":"#, r#""x":1,"result":"#),
            listing(sound).replace(r#""ttlMs":0"#, r#""ttlMs":0,"ttlMs":0"#),
            listing(sound).replace(r#""tools/list#1""#, "null"),
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":[]}"#
                .to_owned(),
            r#"{"jsonrpc":"2.0","id":"tools/call#1","error":{"code":-32602}}"#.to_owned(),
            r#"{"jsonrpc":"2.0","method":"notifications/nothing"}"#.to_owned(),
        ];
        for line in broken {
            assert!(!faults(&line).is_empty(), "{client:?} {line}");
        }
    }
}

#[test]
fn every_schema_definition_rejects_something() {
    for upstream in REVISIONS {
        for client in REVISIONS {
            let pair = Pair { client, upstream };
            for row in table::all().filter(|row| (row.when)(pair)) {
                if row.definition.is_empty() {
                    continue;
                }
                let revision = table::revision(row.side, row.label, pair);
                let faults = schemas::faults(revision, row.definition, &json!([]));
                assert!(!faults.is_empty(), "{revision:?} {}", row.definition);
            }
        }
    }
}
