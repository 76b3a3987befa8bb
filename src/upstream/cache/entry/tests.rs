//! Entries are read back byte by byte, or rejected with a reason.

use serde_json::json;

use super::*;

const ODD: [&str; 4] = [
    r#"{"name":"a"}"#,
    r#"{ "name" : "b\u0062" , "x":1.0E+2,"x":0.10, "y":[ {} ,"é\/" ] }"#,
    "{\"name\":\"c\",\n\t\"line\": \"\\n\"}",
    r#"{"name":"größe","n":123456789012345678901234567890}"#,
];

fn offers(era: Era, version: &'static str, capabilities: serde_json::Value) -> OffersSnapshot {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    let tools = ODD.iter().filter_map(|text| Tool::read(bytes(text), era));
    let prompts = ODD
        .iter()
        .filter_map(|text| Item::read(bytes(text), ItemKind::Prompts));
    OffersSnapshot {
        profile: Arc::new(ServerProfile {
            era,
            version,
            instructions: Some("Be \"kind\".\n".to_owned()),
            capabilities,
        }),
        tools: Arc::new(ToolList {
            tools: tools.collect(),
        }),
        items: [
            Some(Arc::new(prompts.collect())),
            None,
            Some(Arc::default()),
        ],
    }
}

fn entry(offers: &OffersSnapshot) -> CacheEntry {
    CacheEntry::new(offers, "https://x.example/".to_owned(), "d1".to_owned()).unwrap()
}

fn file(offers: &OffersSnapshot) -> Bytes {
    entry(offers).into_file().into()
}

#[test]
fn written_entry_is_read_back_byte_by_byte() {
    let deep = serde_json::from_str(&format!("{}{}", r#"{"a":"#.repeat(120), "1")).ok();
    assert!(deep.is_none_or(|deep: serde_json::Value| deep.is_object()));
    let cases = [
        (Era::Modern, MODERN, json!({"tools": {}, "x": [1, null]})),
        (Era::Legacy, LEGACY[3], serde_json::Value::Null),
    ];
    for (era, version, capabilities) in cases {
        let before = offers(era, version, capabilities);
        let found = LoadedEntry::read(&file(&before), "d1").unwrap();
        assert_eq!(found.hash, entry(&before).hash());
        let after = found.offers;
        assert_eq!(after.profile, before.profile);
        assert_eq!(after.tools, before.tools);
        let tools = after.tools.tools.iter();
        let tools: Vec<_> = tools.map(|tool| &tool.definition[..]).collect();
        assert_eq!(tools, ODD.map(str::as_bytes));
        let prompts = after.items[0].as_ref().unwrap().iter();
        let prompts: Vec<_> = prompts.map(|item| &item.definition[..]).collect();
        assert_eq!(prompts, ODD.map(str::as_bytes));
        assert!(after.items[1].is_none());
        assert!(after.items[2].as_ref().unwrap().is_empty());
    }
}

#[test]
fn content_does_not_depend_on_the_time_of_writing() {
    let one = offers(Era::Modern, MODERN, json!({}));
    let other = offers(Era::Modern, MODERN, json!({"tools": {}}));
    let file = file(&one);
    let text = String::from_utf8(file.to_vec()).unwrap();
    let (head, _) = text.rsplit_once(':').unwrap();
    assert!(entry(&one).has_same_content(&file));
    assert!(entry(&one).has_same_content(format!("{head}:1}}").as_bytes()));
    for unlike in [
        format!("{head}:1,\"x\":2}}"),
        format!("{head}:1"),
        String::new(),
    ] {
        assert!(!entry(&one).has_same_content(unlike.as_bytes()), "{unlike}");
    }
    assert!(!entry(&other).has_same_content(&file));
}

#[test]
fn unusable_file_is_rejected_with_a_reason() {
    let good = file(&offers(Era::Legacy, LEGACY[0], json!({})));
    let text = String::from_utf8(good.to_vec()).unwrap();
    let read = |text: String| {
        LoadedEntry::read(&text.into(), "d1")
            .unwrap_err()
            .to_string()
    };
    let format = |format: &str| text.replacen("\"format\":1", format, 1);
    let newer = "the file has format 2 instead of 1";
    assert_eq!(read(format("\"format\":2")), newer);
    assert_eq!(read(r#"{"format":2,"all":"else"}"#.to_owned()), newer);
    assert_eq!(
        LoadedEntry::read(&good, "d2").unwrap_err().to_string(),
        "the file is of another configuration"
    );
    let unknown = "the file is of an unknown protocol revision";
    assert_eq!(read(text.replacen("legacy", "modern", 1)), unknown);
    assert_eq!(read(text.replacen(LEGACY[0], "2000-01-01", 1)), unknown);
    for end in 0..text.len() {
        if let Some(half) = text.get(..end) {
            assert!(
                read(half.to_owned()).starts_with("the file is damaged: "),
                "{half}"
            );
        }
    }
}
