//! What of a definition is known, and as which kind.

use super::*;

const KINDS: [ItemKind; 3] = [
    ItemKind::Prompts,
    ItemKind::Resources,
    ItemKind::ResourceTemplates,
];

fn read(definition: &'static str, kind: ItemKind) -> Option<Item> {
    Item::read(Bytes::from_static(definition.as_bytes()), kind)
}

#[test]
fn an_item_is_known_by_the_key_of_its_kind() {
    let all = r#"{"name":"n", "uri" : "u://\u00fc","uriTemplate":"t://{x}"}"#;
    for (kind, key, quoted) in [
        (ItemKind::Prompts, "n", r#""n""#),
        (ItemKind::Resources, "u://ü", r#""u://\u00fc""#),
        (ItemKind::ResourceTemplates, "t://{x}", r#""t://{x}""#),
    ] {
        let item = read(all, kind).unwrap();
        assert_eq!((&*item.key, &*item.quoted_key), (key, quoted.as_bytes()));
        assert_eq!(item.definition, all);
    }
}

#[test]
fn an_item_goes_by_its_key_and_its_name() {
    for (definition, kind, names) in [
        (r#"{"name":"n","uri":"u"}"#, ItemKind::Prompts, ["n", "n"]),
        (
            r#"{"name":"\u006e","uri":"u"}"#,
            ItemKind::Resources,
            ["u", "n"],
        ),
        (
            r#"{"uri":"u","title":"n"}"#,
            ItemKind::Resources,
            ["u", "u"],
        ),
        (r#"{"uri":"u","name":7}"#, ItemKind::Resources, ["u", "u"]),
        (
            r#"{"name":"a","uriTemplate":"t","name":"n"}"#,
            ItemKind::ResourceTemplates,
            ["t", "n"],
        ),
    ] {
        let item = read(definition, kind).unwrap();
        assert_eq!(item.names(), names, "{definition}");
    }
}

#[test]
fn of_a_repeated_key_the_last_counts() {
    let item = read(r#"{"name":"a","name":"b"}"#, ItemKind::Prompts).unwrap();
    assert_eq!(&*item.key, "b");
}

#[test]
fn what_nobody_could_ask_for_is_left_out() {
    for nothing in [
        "{}",
        "[]",
        "null",
        "7",
        r#""name""#,
        r#"{"name":null,"uri":7,"uriTemplate":[]}"#,
        r#"{"arguments":[{"name":"x","uri":"y","uriTemplate":"z"}]}"#,
        r#"{"Name":"x","URI":"y","uritemplate":"z"}"#,
        r#"{"name":"\ud800","uri":"\ud800","uriTemplate":"\ud800"}"#,
    ] {
        for kind in KINDS {
            assert!(read(nothing, kind).is_none(), "{nothing} as {kind:?}");
        }
    }
}

#[test]
fn each_kind_is_listed_and_changed_by_methods_of_its_own() {
    for kind in KINDS {
        assert_eq!(ItemKind::from_list_method(kind.list_method()), Some(kind));
    }
    for other in [
        "tools/list",
        "prompts/get",
        "resources/read",
        "Prompts/list",
        "",
    ] {
        assert_eq!(ItemKind::from_list_method(other), None, "{other}");
    }
    let changed = |what: &str| ItemKind::from_change_notification(&format!("notifications/{what}"));
    assert_eq!(changed("prompts/list_changed"), Some(&KINDS[..1]));
    assert_eq!(changed("resources/list_changed"), Some(&KINDS[1..]));
    for other in ["tools/list_changed", "resources/updated", "message"] {
        assert_eq!(changed(other), None, "{other}");
    }
}
