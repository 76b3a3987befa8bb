//! Tests of header values for arguments.

use super::*;
use proptest::prelude::*;

/// A tool whose input schema is `schema`.
pub(super) fn tool(schema: &str) -> String {
    format!(r#"{{"name":"t","description":"has x-mcp-header","inputSchema":{schema}}}"#)
}

/// A tool with these `properties`.
pub(super) fn with_properties(properties: &str) -> String {
    tool(&format!(
        r#"{{"type":"object","properties":{{{properties}}}}}"#
    ))
}

/// The header value of the parameter `a` in `arguments`.
fn mirrored(arguments: &str) -> Option<String> {
    let params = parse_param_headers(&with_properties(
        r#""a":{"type":"string","x-mcp-header":"A"}"#,
    ));
    let headers = header_values(&params.unwrap(), arguments);
    assert!(headers.len() <= 1);
    headers.first().map(|(name, value)| {
        assert_eq!(name, "mcp-param-a");
        value.to_str().unwrap().to_owned()
    })
}

#[test]
fn values_are_encoded_as_the_specification_shows() {
    for (text, expected) in [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("", ""),
        ("us west 1", "us west 1"),
        ("~!\"#\\", "~!\"#\\"),
        (" a", "=?base64?IGE=?="),
        ("a ", "=?base64?YSA=?="),
        ("a\tb", "=?base64?YQli?="),
        ("\u{7f}", "=?base64?fw==?="),
        ("=?base64?open", "=?base64?open"),
        ("=?BASE64?x?=", "=?BASE64?x?="),
        ("file:///a%20b", "file:///a%20b"),
    ] {
        assert_eq!(encode_value(text), expected, "{text:?}");
    }
}

#[test]
fn only_primitive_arguments_are_sent_as_headers() {
    for (value, expected) in [
        (r#""us-west1""#, "us-west1"),
        (r#""\u0075s\/\"""#, "us/\""),
        (r#""\ud83d\ude00""#, "=?base64?8J+YgA==?="),
        (r#""""#, ""),
        ("true", "true"),
        ("false", "false"),
        ("42", "42"),
        ("-7", "-7"),
        ("0", "0"),
        ("-0", "0"),
        ("0e999999999999999999999", "0"),
        ("42.0", "42"),
        ("4.2e1", "42"),
        ("4.2E+1", "42"),
        ("4200e-2", "42"),
        ("-4.200e1", "-42"),
        ("0.00042e5", "42"),
        ("1e15", "1000000000000000"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991.0", "-9007199254740991"),
        ("90071992547409910000000000e-10", "9007199254740991"),
    ] {
        assert_eq!(
            mirrored(&format!(r#"{{"a":{value}}}"#)).as_deref(),
            Some(expected),
            "{value}"
        );
    }
    for value in [
        "null",
        "{}",
        "[]",
        r#"["x"]"#,
        r#"{"a":"x"}"#,
        r#""\ud800""#,
        "4.25",
        "1e-1",
        "1e16",
        "1e400",
        "9007199254740992",
        "-9007199254740992",
        "18446744073709551616",
        "1e99999999999999999999",
        "1e-99999999999999999999",
    ] {
        assert_eq!(mirrored(&format!(r#"{{"a":{value}}}"#)), None, "{value}");
    }
}

#[test]
fn arguments_are_read_at_the_exact_path() {
    for (arguments, expected) in [
        (r#"{}"#, None),
        (r#"{"b":{"a":"x"}}"#, None),
        (r#"{"A":"x","a ":"x"}"#, None),
        (r#"[{"a":"x"}]"#, None),
        (r#""a""#, None),
        ("null", None),
        (
            r#" { "z" : [ { "a" : "no" } , "}" ] , "a" : "yes" , "n" : 1e400 } "#,
            Some("yes"),
        ),
        (r#"{"\u0061":"x"}"#, Some("x")),
        (r#"{"\ud800":"y","a":"x"}"#, Some("x")),
        (r#"{"a":"x","a":"y"}"#, Some("y")),
        (r#"{"a":"x","a":null}"#, None),
        (r#"{"a":{},"a":"y"}"#, Some("y")),
    ] {
        assert_eq!(mirrored(arguments).as_deref(), expected, "{arguments}");
    }
}

#[test]
fn nested_parameters_are_read_at_their_own_paths() {
    let params = parse_param_headers(&with_properties(
        r#""a":{"type":"string","x-mcp-header":"A","properties":{"b":{"type":"string","x-mcp-header":"B"}}},
           "c":{"properties":{"b":{"type":"integer","x-mcp-header":"C"},"d":{"type":"boolean","x-mcp-header":"D"}}}"#,
    ));
    let params = params.unwrap();
    let read = |arguments: &str| {
        let headers = header_values(&params, arguments);
        let shown = headers
            .iter()
            .map(|(name, value)| format!("{}={}", &name.as_str()[10..], value.to_str().unwrap()));
        shown.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        read(r#"{"c":{"b":1,"d":false,"c":{"b":2}},"a":"x"}"#),
        "a=x c=1 d=false"
    );
    assert_eq!(read(r#"{"a":{"b":"y"},"b":"z"}"#), "b=y");
    assert_eq!(read(r#"{"c":{"b":1},"c":{"d":true}}"#), "d=true");
    assert_eq!(read(r#"{"c":{"b":1},"c":3}"#), "");
    assert_eq!(
        read(&format!(
            r#"{{"z":{}{},"c":{{"b":1}}}}"#,
            "[".repeat(500_000),
            "]".repeat(500_000)
        )),
        "c=1"
    );
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "-1.5e3",
            "7",
            "[]",
            "{}",
            r#""string""#
        ])
        .prop_map(str::to_owned),
        ".{0,4}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = prop::sample::select(vec![
            "properties",
            "items",
            "type",
            "x-mcp-header",
            "a",
            "b",
            "default",
            "$defs",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((key, inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\" : {value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn an_encoded_value_decodes_to_its_text(text in any::<String>()) {
        let value = encode_value(&text);
        let written = value.to_str().unwrap();
        let encoded = written.strip_prefix(BASE64_START).and_then(|rest| rest.strip_suffix(BASE64_END));
        let read = match encoded {
            Some(encoded) => String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap(),
            None => written.to_owned(),
        };
        prop_assert_eq!(read, text);
    }

    #[test]
    fn integers_are_written_in_decimal(number in any::<i64>(), shift in 0_i32..6) {
        let expected = (number.unsigned_abs() <= MAX_SAFE_INTEGER).then_some(number);
        prop_assert_eq!(integer(&number.to_string()), expected);
        let zeros = "0".repeat(shift.unsigned_abs() as usize);
        let shifted = format!("{number}{zeros}.{zeros}e-{shift}");
        prop_assert_eq!(integer(&shifted), expected);
    }

    #[test]
    fn picked_values_are_those_of_a_parser(json in any_json(), path in prop::collection::vec("[ab]|items|type", 1..4)) {
        let picked = scan::pick(json.as_bytes(), &[&path]).remove(0);
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected = path.iter().try_fold(&parsed, |value, key| value.as_object()?.get(key));
        let picked = picked.map(|raw| serde_json::from_slice::<serde_json::Value>(raw).unwrap());
        prop_assert_eq!(picked.as_ref(), expected);
    }

    #[test]
    fn no_text_panics(json in any_json(), cut in 0_usize..400, noise in ".{0,40}") {
        let _ = parse_param_headers(&tool(&json));
        let mut end = cut.min(json.len());
        while !json.is_char_boundary(end) {
            end -= 1;
        }
        for text in [&json[..end], &noise, &tool(&json[..end])] {
            let _ = schema::read(text);
            let _ = mirrored(text);
        }
    }
}
