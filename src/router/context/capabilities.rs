//! What the proxy declares to a client: the union of what the upstreams declare, once each is known to this
//! process or an earlier one, and before that everything that may turn out to be there. `initialize` waits
//! for no upstream, and clients use nothing that was not declared in it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::gateway::Gateway;
use crate::catalog::instructions;
use crate::protocol::{Era, ServerProfile};
use crate::upstream::{ConnectionUse, Upstream};

/// Capabilities of a fixed form, and the members of them that are true if they are anywhere.
const FIXED_CAPABILITIES: [(&str, &[&str]); 5] = [
    ("completions", &[]),
    ("logging", &[]),
    ("prompts", &["listChanged"]),
    ("resources", &["listChanged", "subscribe"]),
    ("tools", &["listChanged"]),
];

/// Returns the capabilities for a client of this era, as far as the upstreams are known now.
pub(crate) fn declared_capabilities(gateway: &Gateway, client: Era) -> Value {
    match all_server_profiles(gateway) {
        None => all_capabilities(),
        Some(all) => {
            let declared = all.iter().map(|it| (it.era, &it.capabilities));
            merge(&declared.collect::<Vec<_>>(), client)
        }
    }
}

/// Returns the merged `tasks` capability of the upstreams: what a client of 2025-11-25 can request of them
/// (§ Tasks, Capabilities). `None` if no upstream has any.
pub(crate) fn tasks_capability(gateway: &Gateway) -> Option<Value> {
    let all = all_server_profiles(gateway);
    // While some are not known yet, they may have all of it.
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

/// Returns the merged instructions of the upstreams, as far as they are known now.
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

/// Returns what each upstream declared when it was last connected, if all of them ever were.
fn all_server_profiles(gateway: &Gateway) -> Option<Vec<Arc<ServerProfile>>> {
    let profiles: Option<Vec<_>> = gateway
        .upstreams
        .all()
        .iter()
        .map(|it| it.offers().profile())
        .collect();
    // Where there is none yet, the configuration may get some.
    profiles.filter(|profiles| !profiles.is_empty())
}

/// Returns the upstreams' connections, once all of them are there.
pub(crate) fn all_connections(gateway: &Gateway) -> Option<Vec<ConnectionUse>> {
    let connections: Option<Vec<_>> = gateway
        .upstreams
        .all()
        .iter()
        .map(Upstream::connection)
        .collect();
    // Where there is none yet, the configuration may get some.
    connections
        .filter(|connections| !connections.is_empty() && gateway.view.borrow().initial_listing_done)
}

/// All that we can serve.
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

/// What upstreams declare, each in its era and in the order of the configuration, for a client.
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
    // Our own list changes whenever an upstream comes or goes.
    merged.insert("tools".to_owned(), json!({"listChanged": true}));
    // What is of one era has no translation.
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
    fn all_that_can_be_served_is_possible() {
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
    fn a_capability_is_there_if_it_is_anywhere() {
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
    fn what_is_of_one_era_is_declared_in_it_alone() {
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
