//! Offers from a connection and from an earlier process.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::protocol::revision::MODERN;
use crate::protocol::{Era, Item, Tool};

fn profile() -> Arc<ServerProfile> {
    Arc::new(ServerProfile {
        era: Era::Modern,
        version: MODERN,
        instructions: None,
        capabilities: json!({"prompts": {}}),
    })
}

fn tools(name: &str) -> ToolList {
    let definition = Bytes::from(format!(r#"{{"name":"{name}"}}"#));
    let tools = Tool::read(definition, Era::Modern).into_iter().collect();
    ToolList { tools }
}

fn prompts(name: &str) -> ItemList {
    let definition = Bytes::from(format!(r#"{{"name":"{name}"}}"#));
    let prompt = Item::read(definition, ItemKind::Prompts);
    ItemList::new(prompt.into_iter().collect())
}

fn stored(name: &str) -> OffersSnapshot {
    OffersSnapshot {
        profile: profile(),
        tools: Arc::new(tools(name)),
        items: [Some(prompts(name)), None, None],
    }
}

fn names(offers: &Offers) -> [Option<String>; 2] {
    let tools = offers.tools().map(|list| list.tools[0].name.to_string());
    let prompts = offers.last_items(ItemKind::Prompts);
    [tools, prompts.map(|list| list[0].key.to_string())]
}

#[test]
fn restored_offers_last_until_a_connection_lists() {
    let offers = Offers::new(Arc::default());
    assert_eq!(names(&offers), [None, None]);
    offers.restore(stored("old"));
    let old = Some("old".to_owned());
    assert_eq!(names(&offers), [old.clone(), old]);
    assert_eq!(offers.times_listed(), 0);
    assert!(
        offers.take_unsaved().is_none(),
        "restored offers are saved already"
    );

    offers.set_profile(&profile());
    offers.set_tools(tools("new"));
    offers.restore(stored("older"));
    assert_eq!(offers.tools().unwrap().tools[0].name, "new".into());
    assert_eq!(offers.times_listed(), 1);
}

#[test]
fn restore_does_not_undo_an_announced_change() {
    let offers = Offers::new(Arc::default());
    offers.invalidate(&[ItemKind::Prompts]);
    offers.restore(stored("old"));
    assert_eq!(names(&offers), [Some("old".to_owned()), None]);
}

#[test]
fn kind_that_the_server_does_not_declare_is_empty() {
    let offers = Offers::new(Arc::default());
    assert!(offers.last_items(ItemKind::Resources).is_none());
    offers.set_profile(&profile());
    assert!(offers.last_items(ItemKind::Resources).unwrap().is_empty());
    assert!(offers.last_items(ItemKind::Prompts).is_none());
}

#[test]
fn offers_that_could_not_be_saved_are_taken_again() {
    let offers = Offers::new(Arc::default());
    offers.set_profile(&profile());
    offers.set_tools(tools("a"));
    assert!(offers.take_unsaved().is_some());
    assert!(offers.take_unsaved().is_none());
    offers.return_unsaved();
    assert!(offers.take_unsaved().is_some());
}
