//! Tests of reading items of each kind.

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
fn the_kind_decides_which_member_is_the_key() {
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
fn names_are_the_key_and_the_name() {
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
fn the_last_of_repeated_keys_counts() {
    let item = read(r#"{"name":"a","name":"b"}"#, ItemKind::Prompts).unwrap();
    assert_eq!(&*item.key, "b");
}

#[test]
fn items_without_a_usable_key_are_left_out() {
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
fn each_kind_has_its_own_list_method_and_notification() {
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
