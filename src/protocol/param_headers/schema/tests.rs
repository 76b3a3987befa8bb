//! Tests of annotations: where they are found, and which are valid.

use super::*;
use crate::protocol::param_headers::parse_param_headers;
use crate::protocol::param_headers::tests::{tool, with_properties};

/// `header=path` for every annotated parameter.
fn params_of(definition: &str) -> Vec<String> {
    let params =
        parse_param_headers(definition).unwrap_or_else(|error| panic!("{error}: {definition}"));
    let shown = params
        .iter()
        .map(|param| format!("{}={}", param.header, param.path.join("/")));
    shown.collect()
}

#[test]
fn a_tool_without_annotations_has_no_param_headers() {
    for definition in [
        r#"{"name":"t"}"#,
        "",
        "not JSON",
        &tool("{}"),
        &tool("true"),
        &tool("[1]"),
    ] {
        assert_eq!(parse_param_headers(definition), Ok(vec![]), "{definition}");
    }
}

#[test]
fn annotated_properties_are_found_at_any_depth() {
    let definition = with_properties(
        r#" "region" : { "x-mcp-header" : "Region" , "type" : "string" , "maximum" : 1e400 } ,
            "flag":{"type":"boolean","x-mcp-header":"X.Flag!#$%&'*+^_`|~"},
            "at":{"type":"object","properties":{
                "deep":{"properties":{"n":{"type":"integer","x-mcp-header":"N","title":"\ud800"}}},
                "plain":{"type":"number"}}},
            "caf\u00e9/\"":{"type":["string","null"],"x-mcp-header":"E"} "#,
    );
    assert_eq!(
        params_of(&definition),
        [
            "mcp-param-region=region",
            "mcp-param-x.flag!#$%&'*+^_`|~=flag",
            "mcp-param-n=at/deep/n",
            "mcp-param-e=caf\u{e9}/\"",
        ]
    );
}

#[test]
fn a_property_named_like_the_annotation_is_not_one() {
    let named = r#""x-mcp-header":{"type":"string"}"#;
    assert_eq!(params_of(&with_properties(named)), Vec::<String>::new());
    let both = r#""x-mcp-header":{"type":"string","x-mcp-header":"Own"}"#;
    assert_eq!(
        params_of(&with_properties(both)),
        ["mcp-param-own=x-mcp-header"]
    );
    let properties = r#""properties":{"type":"object","properties":{"properties":{"type":"string","x-mcp-header":"P"}}}"#;
    assert_eq!(
        params_of(&with_properties(properties)),
        ["mcp-param-p=properties/properties"]
    );
}

#[test]
fn instance_data_holds_no_annotation() {
    for schema in [
        r#"{"default":{"x-mcp-header":"A"}}"#,
        r#"{"properties":{"a":{"const":{"x-mcp-header":1},"enum":[{"x-mcp-header":""}]}}}"#,
        r#"{"examples":[{"properties":{"a":{"x-mcp-header":"A"}}}]}"#,
        r#"{"required":["x-mcp-header"],"dependentRequired":{"x-mcp-header":["a"]}}"#,
        r#"{"$defs":{"x-mcp-header":{"type":"string"}}}"#,
        r#"{"anyOf":[{"properties":{"x-mcp-header":true}}],"dependencies":{"x-mcp-header":["a"]}}"#,
        r#"{"title":"x-mcp-header: \"x-mcp-header\":"}"#,
    ] {
        assert_eq!(params_of(&tool(schema)), Vec::<String>::new(), "{schema}");
    }
    let output = r#"{"name":"t","inputSchema":{},"outputSchema":{"x-mcp-header":"A"}}"#;
    assert_eq!(params_of(output), Vec::<String>::new());
}

#[test]
fn an_annotation_outside_properties_hides_the_tool() {
    let inner = r#"{"type":"string","x-mcp-header":"A"}"#;
    let object = format!(r#"{{"properties":{{"a":{inner}}}}}"#);
    let mut schemas = vec![
        inner.to_owned(),
        format!(r#"{{"properties":[{inner}]}}"#),
        format!(r#"{{"x-unknown":{{"y":{inner}}}}}"#),
        format!("[{inner}]"),
    ];
    let below = "additionalItems additionalProperties allOf anyOf contains contentSchema else if \
        items not oneOf prefixItems propertyNames then unevaluatedItems unevaluatedProperties";
    for keyword in below.split(' ') {
        schemas.push(format!(r#"{{"{keyword}":{inner}}}"#));
        schemas.push(format!(r#"{{"{keyword}":[{{}},{object}]}}"#));
        schemas.push(format!(
            r#"{{"properties":{{"p":{{"{keyword}":{object}}}}}}}"#
        ));
    }
    for keyword in [
        "$defs",
        "definitions",
        "dependencies",
        "dependentSchemas",
        "patternProperties",
    ] {
        schemas.push(format!(r#"{{"{keyword}":{{"x-mcp-header":{inner}}}}}"#));
        schemas.push(format!(r#"{{"{keyword}":{{"properties":{object}}}}}"#));
    }
    for schema in schemas {
        let found = parse_param_headers(&tool(&schema));
        assert!(
            matches!(found, Err(ParamHeaderError::NotReachable { .. })),
            "{found:?}: {schema}"
        );
    }
}

#[test]
fn an_annotation_that_is_not_a_token_hides_the_tool() {
    for value in [
        r#""""#,
        r#"" ""#,
        r#""a b""#,
        r#""a:b""#,
        r#""a\tb""#,
        r#""a\r\nb""#,
        r#""\u0000""#,
        r#""caf\u00e9""#,
        r#""a/b""#,
        r#""(a)""#,
        r#""a,b""#,
        r#""\ud800""#,
        "null",
        "1",
        "true",
        r#"["A"]"#,
        r#"{"a":"A"}"#,
    ] {
        let definition = with_properties(&format!(
            r#""a":{{"type":"string","x-mcp-header":{value}}}"#
        ));
        let expected = Err(ParamHeaderError::NotAName {
            param: "a".to_owned(),
        });
        assert_eq!(parse_param_headers(&definition), expected, "{value}");
    }
}

#[test]
fn only_strings_integers_and_booleans_may_be_annotated() {
    let of_type = |value: &str| {
        let definition = with_properties(&format!(r#""a":{{"type":{value},"x-mcp-header":"A"}}"#));
        parse_param_headers(&definition).map(|params| params.len())
    };
    for value in [
        r#""string""#,
        r#""integer""#,
        r#""boolean""#,
        r#"["string"]"#,
        r#"["null","integer"]"#,
        r#"["string","boolean","null"]"#,
        r#""str\u0069ng""#,
    ] {
        assert_eq!(of_type(value), Ok(1), "{value}");
    }
    for value in [
        r#""number""#,
        r#""object""#,
        r#""array""#,
        r#""null""#,
        r#""String""#,
        r#"["null"]"#,
        "[]",
        "{}",
        r#"["string","number"]"#,
        r#"["string",1]"#,
        "null",
        "true",
        "1e400",
    ] {
        assert_eq!(
            of_type(value),
            Err(ParamHeaderError::NotPrimitive {
                param: "a".to_owned()
            }),
            "{value}"
        );
    }
    let untyped = with_properties(r#""a":{"enum":["x"],"x-mcp-header":"A"}"#);
    assert!(matches!(
        parse_param_headers(&untyped),
        Err(ParamHeaderError::NotPrimitive { .. })
    ));
}

#[test]
fn two_parameters_with_one_header_hide_the_tool() {
    let definition = with_properties(
        r#""a":{"type":"string","x-mcp-header":"Region"},
           "b":{"properties":{"c":{"type":"string","x-mcp-header":"rEGION"}}}"#,
    );
    let error = parse_param_headers(&definition).unwrap_err();
    assert_eq!(
        error,
        ParamHeaderError::Duplicate {
            param: "b.c".to_owned()
        }
    );
    assert_eq!(
        error.to_string(),
        "`b.c` and another parameter have the same `x-mcp-header`"
    );
}

#[test]
fn the_last_of_equal_keys_in_a_schema_counts() {
    let a = |name: &str| format!(r#"{{"type":"string","x-mcp-header":"{name}"}}"#);
    let plain = r#"{"type":"object"}"#;
    let twice = with_properties(&format!(r#""a":{},"a":{}"#, a("One"), a("Two")));
    assert_eq!(params_of(&twice), ["mcp-param-two=a"]);
    let gone = with_properties(&format!(r#""a":{},"a":{plain}"#, a("not a token")));
    assert_eq!(params_of(&gone), Vec::<String>::new());
    let above = with_properties(&format!(
        r#""a":{{"properties":{{"b":{}}}}},"a":{plain}"#,
        a("B")
    ));
    assert_eq!(params_of(&above), Vec::<String>::new());
    let keywords = r#"{"type":"object","x-mcp-header":"","type":"string","x-mcp-header":"Two"}"#;
    assert_eq!(
        params_of(&with_properties(&format!(r#""a":{keywords}"#))),
        ["mcp-param-two=a"]
    );
    let properties = format!(
        r#"{{"properties":{{"a":{}}},"properties":{{"b":{}}}}}"#,
        a("A"),
        a("B")
    );
    assert_eq!(params_of(&tool(&properties)), ["mcp-param-b=b"]);
}

#[test]
fn hostile_schemas_are_rejected_without_exhausting_the_stack() {
    let annotated = r#"{"type":"string","x-mcp-header":"A"}"#;
    let chain = |levels: usize| {
        let open = r#"{"properties":{"p":"#.repeat(levels);
        let close = "}}".repeat(levels);
        tool(&format!("{open}{annotated}{close}"))
    };
    assert_eq!(params_of(&chain(60)).len(), 1);
    let too_deep = Err(ParamHeaderError::TooDeep { limit: 128 });
    assert_eq!(parse_param_headers(&chain(100_000)), too_deep);
    assert_eq!(
        parse_param_headers(&tool(&format!(r#"{{"items":{}"#, "[".repeat(1_000_000)))),
        too_deep
    );
    let data = format!(
        r#"{{"default":{}{}}}"#,
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    assert_eq!(parse_param_headers(&tool(&data)), Ok(vec![]));
    let many: Vec<String> = (0..101)
        .map(|n| format!(r#""p{n}":{{"type":"string","x-mcp-header":"H{n}"}}"#))
        .collect();
    assert_eq!(
        params_of(&with_properties(&many[..100].join(","))).len(),
        100
    );
    let too_many = Err(ParamHeaderError::TooMany { limit: 100 });
    assert_eq!(
        parse_param_headers(&with_properties(&many.join(","))),
        too_many
    );
}

#[test]
fn an_error_with_a_servers_text_stays_on_one_line() {
    let name = format!(r"a\n\u001b{}", "x".repeat(1000));
    let definition = with_properties(&format!(r#""{name}":{{"type":"null","x-mcp-header":"A"}}"#));
    let text = parse_param_headers(&definition).unwrap_err().to_string();
    assert!(
        text.contains(r"`a\n\u{1b}xxx") && text.chars().count() < 160,
        "{text}"
    );
    assert!(!text.contains(char::is_control));
    let within = with_properties(r#""a":{"items":{"x-mcp-header":"A"}}"#);
    assert_eq!(
        parse_param_headers(&within).unwrap_err().to_string(),
        "`x-mcp-header` at `inputSchema.properties.a.items` is not on a property reached through `properties` alone"
    );
}
