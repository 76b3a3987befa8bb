//! Bytes that the proxy need not change pass unchanged, through the real binary. Both directions,
//! all eras, JSON bodies and event streams.

use serde_json::json;
use testkit::proxy::{self, with_meta};
use testkit::upstream;
use testkit::verbatim::{assert_passes, assert_same, with_peers};

/// JSON values that parsing and printing would change.
fn values() -> Vec<(&'static str, String)> {
    let owned = |(what, value): (&'static str, &str)| (what, value.to_owned());
    let mut values: Vec<_> = [
        ("whole floats", "[1.0,0.10,-0.0,-0,2.50,100.00e-2]"),
        ("exponents", "[1E400,1e-400,1E+5,1e05,-1E400,0e0]"),
        ("long integers", "[123456789012345678901234567890,-18446744073709551616,9007199254740993]"),
        ("long fractions", "[0.1234567890123456789012345,3.141592653589793238462643]"),
        ("the order of keys", r#"{"b":1,"a":2,"C":3,"10":4,"9":5}"#),
        ("equal keys", r#"{"a":1,"a":2,"\u0061":3,"":4,"":5}"#),
        ("escapes", r#""\u00e9\/\u00E9é\ud83d\ude00😀\b\f\n\r\t\"\\""#),
        ("lone surrogates", r#"["\ud800","\udc00x","\udc00\ud800",{"\udfff":1}]"#),
        ("escaped controls", r#"["\u0000","\u001f","\u007f"]"#),
        ("line separators", "[\"\u{2028}\u{2029}\u{85}\u{feff}\u{7f}\u{10ffff}\"]"),
        ("white space", "{ \"a\" :\t[ 1 ,\t2 ] , \"b\":{ } , \"c\":[ ] }"),
        ("what looks like a message", r#"{"jsonrpc":"1.0","id":7,"method":"initialize","params":{"name":"n","_meta":{}},"result":{},"error":{}}"#),
        ("what looks like an event", r#""data: 1\n\ndata: 2\r\nid: 3""#),
        ("null", "null"),
        ("a scalar", "1.0"),
        ("an empty string", r#""""#),
        ("an array", "[[],{},[[]]]"),
    ]
    .into_iter()
    .map(owned)
    .collect();
    let deep = |open: &str, close: &str| [open.repeat(5000), close.repeat(5000)].join("0");
    values.push(("deep arrays", deep("[", "]")));
    values.push(("deep objects", deep(r#"{"a":"#, "}")));
    values.push((
        "a long string",
        format!("\"{}\"", r"0123456789é\\\n".repeat(1_000)),
    ));
    values.push((
        "many members",
        format!("{{{}\"z\":0}}", r#""a":0.10,"#.repeat(1_000)),
    ));
    values
}

#[tokio::test]
async fn values_pass_unchanged_in_either_direction_and_era() {
    let (peers, mut client) = with_peers().await;
    let values = values();
    assert!(values.len() > 15);
    for (number, (what, value)) in values.iter().enumerate() {
        let result = format!(r#"{{"content":[],"structuredContent":{value},"isError":false}}"#);
        let reply = (r#"{"jsonrpc":"2.0","id":ID,"result":"#, &*result, "}");
        let token = match number % 2 {
            0 => format!(r#""p\u003{}""#, number % 10),
            _ => format!("{number}.0"),
        };
        let meta = format!(r#""x-trace":{value},"progressToken":{token}"#);
        let id = format!("{}", 1000 + number);
        assert_passes(&mut client, &peers, (what, "", value), reply, &id).await;
        assert_passes(&mut client, &peers, (what, &meta, value), reply, &id).await;
    }
    client.assert_every_line_is_json_rpc();
}

/// Unusual responses: the text before the result, the result, and the text after it.
const REPLIES: [(&str, (&str, &str, &str)); 22] = [
    (
        "an unknown kind of content",
        (
            R,
            r#"{"content":[{"type":"video","z":1.0,"a":2,"data":null}]}"#,
            "}",
        ),
    ),
    (
        "unknown members of content",
        (
            R,
            r#"{"content":[{"x":1,"type":"text","text":"t","annotations":{"custom":0.10},"_meta":{}}],"x":{}}"#,
            "}",
        ),
    ),
    (
        "text and blob in one",
        (
            R,
            r#"{"content":[{"type":"resource","resource":{"uri":"a:b","text":"t","blob":"Yg==","size":1.0}}]}"#,
            "}",
        ),
    ),
    (
        "scalar structured content",
        (R, r#"{"content":[],"structuredContent":1.0}"#, "}"),
    ),
    (
        "null structured content",
        (R, r#"{"content":[],"structuredContent":null}"#, "}"),
    ),
    ("an error of the tool", (R, r#"{"isError":true}"#, "}")),
    (
        "what looks like a prompt",
        (
            R,
            r#"{"content":[],"messages":[],"structuredContent":{}}"#,
            "}",
        ),
    ),
    (
        "what looks like an elicitation",
        (
            R,
            r#"{"action":"accept","content":{"a":1},"structuredContent":0}"#,
            "}",
        ),
    ),
    (
        "what looks like a listing",
        (
            R,
            r#"{"content":[],"tools":[],"structuredContent":[]}"#,
            "}",
        ),
    ),
    ("an empty object", (R, "{}", "}")),
    ("a string", (R, r#""done""#, "}")),
    ("null", (R, "null", "}")),
    (
        "members of the message",
        (
            r#"{"jsonrpc":"2.0","x-a":0.10,"id":ID,"result" : "#,
            r#"{"content":[]}"#,
            r#" , "x-b":[1E400] }"#,
        ),
    ),
    (
        "the id last",
        (
            r#"{"jsonrpc":"2.0","x":{"id":7},"id" :ID ,"result":"#,
            "{}",
            "}",
        ),
    ),
    (
        "`error` of null",
        (
            r#"{"jsonrpc":"2.0","id":ID,"error":null,"result":"#,
            "{}",
            "}",
        ),
    ),
    (
        "lines",
        (
            "{\"jsonrpc\":\"2.0\",\n\t\"id\": ID,\n\t\"result\" :\n",
            "{\n  \"content\": [\n  ]\n}",
            "\n}",
        ),
    ),
    (
        "CRLF lines",
        (
            "{\"jsonrpc\":\"2.0\",\r\n\"id\": ID,\r\n\"result\":",
            "{\"content\":\r\n[\r\n]}",
            "\r\n}\r\n",
        ),
    ),
    (
        "an error",
        (
            E,
            r#"{"code":-32602,"message":"bad \u00e9","data":{"b":1.0,"a":[1E400,"\ud800"]},"x":1}"#,
            "}",
        ),
    ),
    (
        "an error with null data",
        (E, r#"{"code":-32000,"message":"","data":null}"#, "}"),
    ),
    (
        "an error with a large code",
        (E, r#"{"code":1099511627776,"message":"m"}"#, "}"),
    ),
    (
        "an error with a float code",
        (E, r#"{"code":-32000.0,"message":"m","data":0.10}"#, "}"),
    ),
    ("an error that is a string", (E, r#""no""#, "}")),
];
const R: &str = r#"{"jsonrpc":"2.0","id":ID,"result":"#;
const E: &str = r#"{"jsonrpc":"2.0","id":ID,"error":"#;

#[tokio::test]
async fn responses_pass_unchanged_but_for_line_ends() {
    let (peers, mut client) = with_peers().await;
    for (what, (before, body, after)) in REPLIES {
        // The proxy adds members for modern clients to results, never to errors.
        let whole = [before, body].concat();
        let reply = match before == E {
            true => (&*whole, "", after),
            false => (before, body, after),
        };
        assert_passes(&mut client, &peers, (what, "", "{}"), reply, r#""reply""#).await;
    }
    client.assert_every_line_is_json_rpc();
}

#[tokio::test]
async fn request_id_is_returned_as_sent() {
    let (peers, mut client) = with_peers().await;
    let ids = [
        "0",
        "-1",
        "1.5",
        "1.0",
        "1E2",
        "9007199254740993",
        "123456789012345678901234567890",
        r#""""#,
        r#""1""#,
        r#""\u00e9\/\"\\\n""#,
        r#""\ud800""#,
        r#""{\"id\":1}""#,
        "\"\u{2028}\"",
    ];
    for id in ids {
        let reply = (R, r#"{"content":[]}"#, "}");
        assert_passes(&mut client, &peers, (id, "", r#"{"id":1}"#), reply, id).await;
    }
}

/// Tools whose names, `NAME`, another upstream has too.
const DEFINITIONS: [&str; 7] = [
    r#"{"name":NAME,"inputSchema":{"type":"object"}}"#,
    r#"{"x-new":1.0,"inputSchema":{"type":"object","properties":{"b":{"maximum":1E400,"default":"\ud800"},"a":{"minimum":-0.0}}},"name" : NAME,"execution":{"taskSupport":"optional"},"_meta":{"anthropic/maxResultSizeChars":500000.0}}"#,
    r#"{"name":NAME,"inputSchema":true,"outputSchema":{"type":"object","$ref":"\u0023\/a"},"annotations":{"custom":0.10,"name":"n"}}"#,
    r#"{"name":NAME}"#,
    r#"{"description":"a","description":"b","icons":[{"src":"a:b","n":1}],"name":NAME}"#,
    "{\n  \"name\": NAME,\r\n  \"description\": \"\u{2028}\\u2028\\n\",\n\t\"inputSchema\": {\n  }\n}",
    r#"{"name":NAME,"inputSchema":DEEP}"#,
];

#[tokio::test]
async fn tool_definitions_pass_unchanged_but_for_a_prefixed_name() {
    let deep = [r#"{"items":"#.repeat(5000), "}".repeat(5000)].join("{}");
    let define = |name: &dyn Fn(usize) -> String| -> Vec<String> {
        let numbered = DEFINITIONS.iter().enumerate();
        let named = numbered.map(|(number, tool)| tool.replacen("NAME", &name(number), 1));
        named.map(|tool| tool.replace("DEEP", &deep)).collect()
    };
    // A name that is not prefixed keeps its escapes.
    let kept = define(&|number| format!(r#""tool_\u003{number}""#));
    let builders = [
        upstream::legacy(),
        upstream::modern().sse_replies(),
        upstream::http_sse(),
    ];
    let mut servers = Vec::new();
    for builder in builders {
        let with_tools = kept
            .iter()
            .fold(builder, |builder, tool| builder.tool_raw(tool));
        servers.push(with_tools.page_size(3).start().await);
    }
    let proxy = proxy::new().upstream("first", &servers[0]);
    let proxy = proxy.upstream("modern", &servers[1]);
    let mut client = proxy.upstream("sse", &servers[2]).start().await;
    let renamed = |upstream| define(&|number| format!(r#""{upstream}__tool_{number}""#));
    // Within an event, CR LF counts as one line end.
    let events = |tools: Vec<String>| tools.join(",").replace("\r\n", "\n");
    let tools = [
        kept.join(","),
        events(renamed("modern")),
        events(renamed("sse")),
    ];
    let tools = tools.join(",").replace(['\r', '\n'], " ");

    client.initialize().await;
    let line = r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#;
    let listed = client.exchange(line, r#""l""#).await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"l","result":{{"tools":[{tools}]}}}}"#);
    assert_same(std::str::from_utf8(&listed).unwrap(), &expected, "legacy");

    let line = json!({"jsonrpc": "2.0", "id": "m", "method": "tools/list", "params": with_meta(json!({}))});
    let listed = client.exchange(line.to_string(), r#""m""#).await;
    let listed = String::from_utf8(listed).unwrap();
    assert!(listed.contains(&format!(r#""tools":[{tools}]"#)), "modern");
}
