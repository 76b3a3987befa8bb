//! The capabilities that the proxy declares to a client.
//!
//! - Once every upstream has a profile, of this process or cached: the union of the upstreams' capabilities.
//! - Before that: all capabilities that the proxy can serve. `initialize` does not wait for upstreams, and
//!   clients never use a capability that it did not declare.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::gateway::Gateway;
use crate::catalog::instructions;
use crate::protocol::{Era, ServerProfile};
use crate::upstream::{ConnectionUse, Upstream};

/// Capabilities with a fixed form, and their boolean members. A member is true if it is true for any upstream.
const FIXED_CAPABILITIES: [(&str, &[&str]); 5] = [
    ("completions", &[]),
    ("logging", &[]),
    ("prompts", &["listChanged"]),
    ("resources", &["listChanged", "subscribe"]),
    ("tools", &["listChanged"]),
];

/// Returns the capabilities for a client of this era.
pub(crate) fn declared_capabilities(gateway: &Gateway, client: Era) -> Value {
    match all_server_profiles(gateway) {
        None => all_capabilities(),
        Some(all) => {
            let declared = all.iter().map(|it| (it.era, &it.capabilities));
            merge(&declared.collect::<Vec<_>>(), client)
        }
    }
}

/// Returns the merged `tasks` capability of the upstreams, for clients of MCP 2025-11-25 (§ Tasks,
/// Capabilities). `None` if no upstream has tasks.
pub(crate) fn tasks_capability(gateway: &Gateway) -> Option<Value> {
    let all = all_server_profiles(gateway);
    // An upstream without a profile may have every task capability.
    let any = |pointer: &str| {
        let declares = |it: &Arc<ServerProfile>| it.declares_task_capability(pointer);
        all.as_ref().is_none_or(|all| all.iter().any(declares))
    };
    let mut tasks = Map::new();
    for name in ["list", "cancel"] {
        if any(&format!("/{name}")) {
            tasks.insert(name.to_owned(), json!({}));
        }
    }
    if any("/requests/tools/call") {
        tasks.insert("requests".to_owned(), json!({"tools": {"call": {}}}));
    }
    (!tasks.is_empty()).then_some(Value::Object(tasks))
}

/// Returns the merged instructions of the upstreams with a known profile.
pub(crate) fn merged_instructions(gateway: &Gateway) -> Option<String> {
    let upstreams = gateway.upstreams.all();
    let instructions: Vec<_> = upstreams
        .iter()
        .map(|upstream| upstream.offers().profile()?.instructions.clone())
        .collect();
    let names = upstreams.iter().map(|it| it.config().name.as_str());
    let texts: Vec<_> = names
        .zip(instructions.iter().map(Option::as_deref))
        .collect();
    instructions::merge(&texts)
}

/// Returns the latest profile of every upstream. `None` if an upstream has no profile.
fn all_server_profiles(gateway: &Gateway) -> Option<Vec<Arc<ServerProfile>>> {
    let profiles: Option<Vec<_>> = gateway
        .upstreams
        .all()
        .iter()
        .map(|it| it.offers().profile())
        .collect();
    // Without upstreams, all capabilities stay possible: the configuration may still add upstreams.
    profiles.filter(|profiles| !profiles.is_empty())
}

/// Returns the connections of all upstreams. `None` unless every upstream is connected.
pub(crate) fn all_connections(gateway: &Gateway) -> Option<Vec<ConnectionUse>> {
    let connections: Option<Vec<_>> = gateway
        .upstreams
        .all()
        .iter()
        .map(Upstream::connection)
        .collect();
    // Without upstreams, the configuration may still add some.
    connections
        .filter(|connections| !connections.is_empty() && gateway.view.borrow().initial_listing_done)
}

/// All capabilities that the proxy can serve.
fn all_capabilities() -> Value {
    let mut all = Map::new();
    for (name, members) in FIXED_CAPABILITIES {
        all.insert(name.to_owned(), flags(members.iter().copied()));
    }
    all.into()
}

fn flags<'a>(members: impl Iterator<Item = &'a str>) -> Value {
    let members = members.map(|name| (name.to_owned(), true.into()));
    Value::Object(members.collect())
}

/// Merges the capabilities of upstreams, each in its era and in the order of the configuration, for a client.
fn merge(declared: &[(Era, &Value)], client: Era) -> Value {
    let mut merged = Map::new();
    for (name, members) in FIXED_CAPABILITIES {
        let those: Vec<_> = declared
            .iter()
            .filter_map(|(_, all)| all.get(name))
            .collect();
        if those.is_empty() {
            continue;
        }
        let is_anywhere =
            |member: &&str| those.iter().any(|it| it.get(*member) == Some(&json!(true)));
        let there = members.iter().copied().filter(is_anywhere);
        merged.insert(name.to_owned(), flags(there));
    }
    // The merged list of tools changes whenever an upstream connects or is removed.
    merged.insert("tools".to_owned(), json!({"listChanged": true}));
    // These members exist in one era only, and have no translation.
    let own = match client {
        Era::Legacy => "experimental",
        Era::Modern => "extensions",
    };
    let mut all = Map::new();
    let same = declared.iter().filter(|(era, _)| *era == client);
    for (key, value) in same
        .filter_map(|(_, it)| it.get(own)?.as_object())
        .flatten()
    {
        if !all.contains_key(key) {
            all.insert(key.clone(), value.clone());
        }
    }
    if !all.is_empty() {
        merged.insert(own.to_owned(), all.into());
    }
    merged.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(declared: &[(Era, Value)], client: Era) -> Value {
        let declared: Vec<_> = declared.iter().map(|(era, all)| (*era, all)).collect();
        merge(&declared, client)
    }

    #[test]
    fn all_capabilities_lists_what_the_proxy_can_serve() {
        let expected = json!({
            "completions": {},
            "logging": {},
            "prompts": {"listChanged": true},
            "resources": {"listChanged": true, "subscribe": true},
            "tools": {"listChanged": true},
        });
        assert_eq!(all_capabilities(), expected);
    }

    #[test]
    fn a_capability_of_any_upstream_is_merged() {
        let declared = [
            (
                Era::Legacy,
                json!({"tools": {}, "prompts": {}, "resources": {"subscribe": true}}),
            ),
            (
                Era::Modern,
                json!({"completions": {}, "logging": {}, "resources": {"listChanged": true}}),
            ),
            (
                Era::Modern,
                json!({"prompts": {"listChanged": false}, "resources": {"subscribe": "yes"}}),
            ),
            (Era::Legacy, Value::Null),
        ];
        let expected = json!({
            "completions": {},
            "logging": {},
            "prompts": {},
            "resources": {"listChanged": true, "subscribe": true},
            "tools": {"listChanged": true},
        });
        for client in [Era::Legacy, Era::Modern] {
            assert_eq!(merged(&declared, client), expected);
            assert_eq!(merged(&[], client), json!({"tools": {"listChanged": true}}));
        }
    }

    #[test]
    fn era_specific_capabilities_stay_in_their_era() {
        let all = |mark: &str| {
            json!({
                "tools": {},
                "experimental": {"a/x": {"of": mark}, mark: {}},
                "extensions": {"a/y": {"of": mark}, mark: {}},
                "tasks": {"list": {}},
            })
        };
        let declared = [
            (Era::Legacy, all("l1")),
            (Era::Modern, all("m1")),
            (Era::Legacy, all("l2")),
            (Era::Modern, all("m2")),
            (Era::Modern, json!({"extensions": 1, "experimental": []})),
        ];
        let tools = json!({"listChanged": true});
        assert_eq!(
            merged(&declared, Era::Legacy),
            json!({"tools": tools, "experimental": {"a/x": {"of": "l1"}, "l1": {}, "l2": {}}})
        );
        assert_eq!(
            merged(&declared, Era::Modern),
            json!({"tools": tools, "extensions": {"a/y": {"of": "m1"}, "m1": {}, "m2": {}}})
        );
    }
}
