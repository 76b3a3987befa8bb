//! Pages: their definitions, their cursors, and malformed ones.

use super::*;

/// Returns the definitions of a page and the next cursor, or the error as text.
fn page(body: &str) -> Result<(Vec<String>, Option<String>), String> {
    let response = Message::parse(format!(r#"{{"jsonrpc":"2.0","id":1,{body}}}"#)).unwrap();
    let mut taken = Vec::new();
    let take = |definition: Bytes| taken.push(String::from_utf8(definition.to_vec()).unwrap());
    let cursor =
        read_page(&response, "prompts/list", "prompts", take).map_err(|e| e.to_string())?;
    Ok((taken, cursor))
}

#[test]
fn page_yields_definitions_as_written_and_a_cursor() {
    let odd = r#"{ "n":1.50e400 , "s":"\/\u00fc"}"#;
    let cases: &[(String, &[&str], Option<&str>)] = &[
        (
            format!(r#"{{"prompts":[ {odd} , 7,null ]}}"#),
            &[odd, "7", "null"],
            None,
        ),
        (
            r#"{"prompts":[],"nextCursor":"a\"\u0062"}"#.to_owned(),
            &[],
            Some("a\"b"),
        ),
        (
            r#"{"nextCursor":"","prompts":[1]}"#.to_owned(),
            &["1"],
            Some(""),
        ),
        (r#"{"nextCursor":"only"}"#.to_owned(), &[], Some("only")),
        // If the cursor is null or not a string, there is no further page.
        (
            r#"{"prompts":[1],"nextCursor":null}"#.to_owned(),
            &["1"],
            None,
        ),
        (r#"{"prompts":[1],"nextCursor":2}"#.to_owned(), &["1"], None),
        (r#"{"tools":[1],"x":{"prompts":[2]}}"#.to_owned(), &[], None),
        (r#"{"prompts":[1],"prompts":[2]}"#.to_owned(), &["2"], None),
        ("{}".to_owned(), &[], None),
    ];
    for (result, definitions, cursor) in cases {
        let (taken, next) = page(&format!(r#""result":{result}"#)).unwrap();
        assert_eq!(taken, *definitions, "{result}");
        assert_eq!(next.as_deref(), *cursor, "{result}");
    }
}

#[test]
fn server_without_the_method_has_no_items() {
    let (taken, cursor) = page(r#""error":{"code":-32601,"message":"no"}"#).unwrap();
    assert_eq!((taken.len(), cursor), (0, None));
}

#[test]
fn malformed_page_is_an_error_that_names_the_defect() {
    for (body, part) in [
        (r#""error":{"code":-32603,"message":"broken"}"#, "broken"),
        (r#""result":[]"#, "not an object"),
        (r#""result":null"#, "not an object"),
        (r#""result":"x""#, "not an object"),
        (r#""result":{"prompts":{}}"#, "`prompts` is not a list"),
        (r#""result":{"prompts":null}"#, "`prompts` is not a list"),
    ] {
        let error = page(body).unwrap_err();
        assert!(error.contains("`prompts/list`"), "{body}: {error}");
        assert!(error.contains(part), "{body}: {error}");
    }
}
