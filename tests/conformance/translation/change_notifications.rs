//! Change notifications of upstreams, and subscriptions to them.

mod listen_lifecycle;
mod resource_updates;

use serde_json::{Value, json};

use crate::pairing::Pairing;
use crate::translation::pairing::text;
use listen_lifecycle::*;
use resource_updates::*;
use testkit::raw::Request;
use testkit::upstream::{Builder, Upstream};

crate::translation::rows! {
    tools_changed {
        legacy_to_legacy ("MCP 2025-11-25 § Tools, List Changed Notification" => changed_tools_are_notified)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_tools_are_notified)
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_tools_are_notified)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_tools_are_notified)
    }
    prompts_changed {
        legacy_to_legacy ("MCP 2025-11-25 § Prompts, List Changed Notification" => changed_prompts_are_notified)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_prompts_are_notified)
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_prompts_are_notified)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_prompts_are_notified)
    }
    resources_changed {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, List Changed Notification" => changed_resources_are_notified)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_resources_are_notified)
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_resources_are_notified)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => changed_resources_are_notified)
    }
    listen {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Operation" => listen_is_unknown_to_legacy_clients)
        legacy_to_modern ("MCP 2025-11-25 § Lifecycle, Operation" => listen_is_unknown_to_legacy_clients)
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Acknowledgment" => subscription_is_acknowledged_first)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Acknowledgment" => subscription_is_acknowledged_first)
    }
    listen_cancelled {
        legacy_to_legacy ["a legacy client has no subscriptions/listen"]
        legacy_to_modern ["a legacy client has no subscriptions/listen"]
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Cancellation" => cancelled_subscription_gets_no_response)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Cancellation" => cancelled_subscription_gets_no_response)
    }
    listen_ended {
        legacy_to_legacy ["a legacy client has no subscriptions/listen"]
        legacy_to_modern ["a legacy client has no subscriptions/listen"]
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Graceful Closure" => subscription_gets_a_response_at_shutdown)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Graceful Closure" => subscription_gets_a_response_at_shutdown)
    }
    listen_lost {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Listening for Messages from the Server" => lost_event_stream_is_reopened)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Graceful Closure" => lost_event_stream_is_reopened)
        modern_to_legacy ("MCP 2025-11-25 § Transports, Listening for Messages from the Server" => lost_event_stream_is_reopened)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Graceful Closure" => lost_event_stream_is_reopened)
    }
    subscribe {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Subscriptions" => subscribe_reaches_the_owning_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Notification Filter" => subscribe_becomes_a_filter)
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Notification Filter" => filter_becomes_subscribe_requests)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Notification Filter" => filter_reaches_the_upstream)
    }
    subscribe_refused {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Error Handling" => subscribe_error_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Acknowledgment" => unacknowledged_subscription_is_an_error)
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Acknowledgment" => rejected_subscription_is_not_acknowledged)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Acknowledgment" => rejected_subscription_is_not_acknowledged)
    }
    unsubscribe {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Subscriptions" => unsubscribe_reaches_the_owning_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Notification Filter" => unsubscribe_removes_the_filter)
        modern_to_legacy ("MCP 2025-11-25 § Resources, Subscriptions" => subscription_ends_upstream)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Cancellation" => subscription_ends_upstream)
    }
    updated {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Subscriptions" => update_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => update_loses_its_subscription_id)
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => update_gets_a_subscription_id)
        modern_to_modern ("MCP 2026-07-28 § Subscriptions, Receiving Notifications" => update_gets_a_subscription_id)
    }
    roots_changed {
        legacy_to_legacy ("MCP 2025-11-25 § Roots, Root List Changes" => changed_roots_reach_all_upstreams)
        legacy_to_modern ("MCP 2026-07-28 § Key Changes, Major changes" => changed_roots_reach_no_upstream)
        modern_to_legacy ["a modern client sends no notification about roots"]
        modern_to_modern ["a modern client sends no notification about roots"]
    }
}

const ALL: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true}}"#;

/// A server with all lists and their change notifications.
fn server_with_list_changes(builder: Builder) -> Builder {
    builder
        .capabilities(ALL)
        .tool("t")
        .offers("prompts", [r#"{"name":"p"}"#])
        .offers(
            "resources",
            [
                r#"{"uri":"x://1","name":"x"}"#,
                r#"{"uri":"x://2","name":"y"}"#,
            ],
        )
}

/// A server with list changes that also accepts resource subscriptions.
fn server_with_subscriptions(builder: Builder) -> Builder {
    let builder = server_with_list_changes(builder);
    builder
        .result("resources/subscribe", "{}")
        .result("resources/unsubscribe", "{}")
}

async fn changed_tools_are_notified(pairing: Pairing) {
    check_changes_are_notified(
        pairing,
        "notifications/tools/list_changed",
        "toolsListChanged",
    )
    .await;
}

async fn changed_prompts_are_notified(pairing: Pairing) {
    check_changes_are_notified(
        pairing,
        "notifications/prompts/list_changed",
        "promptsListChanged",
    )
    .await;
}

async fn changed_resources_are_notified(pairing: Pairing) {
    check_changes_are_notified(
        pairing,
        "notifications/resources/list_changed",
        "resourcesListChanged",
    )
    .await;
}

async fn check_changes_are_notified(pairing: Pairing, method: &str, flag: &str) {
    for builder in pairing.servers() {
        let server = server_with_list_changes(builder).start().await;
        let mut client = pairing.client(&server).await;
        for list in ["tools/list", "prompts/list", "resources/list"] {
            client.request_in_era(list, json!({})).await;
        }
        let own = match pairing.legacy_client() {
            true => Value::Null,
            false => client.listen(json!({flag: true})).await["params"]["_meta"].take(),
        };
        if !pairing.legacy_upstream() {
            let listens = |request: &Request| filter_of(request)[flag] == true;
            server.raw.wait_for(listens).await;
        }
        let new = testkit::upstream::tool("new");
        server.set_tools([&*new]);
        server.set_offers("prompts", [r#"{"name":"new"}"#]);
        server.set_offers("resources", [r#"{"uri":"x://new","name":"new"}"#]);
        server.notify(method, "{}").await;
        let notification = client.notification(method).await;
        assert_eq!(notification["params"]["_meta"], own, "{notification}");
    }
}

fn filter_of(request: &Request) -> Value {
    match request.is("subscriptions/listen") {
        true => request.json()["params"]["notifications"].take(),
        false => Value::Null,
    }
}

/// Waits until an upstream receives a filter for exactly these resources.
async fn wait_for_filter(server: &Upstream, uris: &[&str]) -> Request {
    let is_expected = |request: &Request| {
        let mut filter = filter_of(request);
        let found = filter["resourceSubscriptions"].as_array_mut();
        found.is_some_and(|found| {
            found.sort_by_key(Value::to_string);
            found == uris
        })
    };
    server.raw.wait_for(is_expected).await
}

/// Waits until the subscription to exactly these resources is closed.
async fn wait_until_filter_is_closed(server: &Upstream, uris: &[&str]) {
    loop {
        let request = server.raw.wait_for_disconnect().await;
        if filter_of(&request)["resourceSubscriptions"] == json!(uris) {
            return;
        }
    }
}

const ROOTS_CHANGED: &str =
    r#"{ "jsonrpc":"2.0","method":"notifications/roots\/list_changed","params":{"x":1E2}}"#;

async fn changed_roots_reach_all_upstreams(pairing: Pairing) {
    for (a, b) in pairing.servers().into_iter().zip(pairing.servers()) {
        let (a, b) = (a.tool("t").start().await, b.tool("u").start().await);
        let proxy = testkit::proxy::new().upstream("a", &a).upstream("b", &b);
        let mut client = proxy.start().await;
        pairing
            .handshake(&mut client, json!({"roots": {"listChanged": true}}))
            .await;
        client.tool_names().await;
        client.send_line(ROOTS_CHANGED).await;
        for server in [&a, &b] {
            let changed =
                |notification: &Request| notification.is("notifications/roots/list_changed");
            let notification = server.wait_for_message("changed roots", changed).await;
            assert_eq!(text(&notification), ROOTS_CHANGED);
        }
    }
}

async fn changed_roots_reach_no_upstream(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let declared = json!({"roots": {"listChanged": true}});
    let mut client = pairing.client_with(&server, declared).await;
    client.tool_names().await;
    client.send_line(ROOTS_CHANGED).await;
    client.call("t", json!({})).await;
    assert!(client.close().await.success());
    assert!(
        server
            .requests_of("notifications/roots/list_changed")
            .is_empty()
    );
}
