//! Tests of the forms of a configuration, and of its problems.

use proptest::prelude::*;

use std::time::Duration;

use super::timeouts::{DEFAULT_KEEP_ALIVE, DEFAULT_TIMEOUT};
use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

fn read(upstreams: &str) -> Result<Config, ConfigError> {
    Config::from_environment(&environment(&[
        ("PROXY_UPSTREAMS", upstreams),
        ("TOKEN", "hunter2"),
    ]))
}

/// The upstreams as `name transport url`, then the problems.
fn report(config: &Config) -> Vec<String> {
    let upstream = |u: &Upstream| format!("{} {:?} {}", u.name, u.transport, u.url);
    let problem = |p: &Problem| format!("{:?}: {p}", p.severity);
    let upstreams = config.upstreams.iter().map(upstream);
    upstreams
        .chain(config.problems.iter().map(problem))
        .collect()
}

const DOCS: &str = r#"{"name":"docs","url":"https://docs.example/mcp"}"#;

#[test]
fn every_form_of_the_list_is_accepted() {
    let forms = [
        r#"[{"name":"docs","url":"https://docs.example/mcp","transport":"http",}]"#,
        "// mine\n[ /* one */ {\"name\": \"docs\", \"url\": \"https://docs.example/mcp\", \"transport\": \"HTTP-only\"} ]",
        r#"{"docs":{"url":"https://docs.example/mcp","type":"http"}}"#,
        r#"{"mcpServers":{"docs":{"type":"streamable-http","serverUrl":"https://docs.example/mcp"}}}"#,
        r#"{"inputs":[],"servers":{"docs":{"type":"http","httpUrl":"https://docs.example/mcp"}}}"#,
        r#"{"mcp":{"servers":{"docs":{"type":"http","url":"https://docs.example/mcp"}}}}"#,
        r#"{"name":"docs","url":"https://docs.example/mcp","transport":"http"}"#,
        r#"{"mcpServers":[{"name":"docs","url":"https://docs.example/mcp","transport":"http"}]}"#,
    ];
    for form in forms {
        let config = read(form).unwrap();
        assert_eq!(
            report(&config),
            ["docs Http https://docs.example/mcp"],
            "{form}"
        );
    }
}

#[test]
fn every_word_for_a_transport_is_accepted() {
    let words = [
        ("http-first", TransportChoice::HttpFirst),
        ("http", TransportChoice::Http),
        ("sse", TransportChoice::Sse),
        ("sse-first", TransportChoice::SseFirst),
        ("http-only", TransportChoice::Http),
        ("sse-only", TransportChoice::Sse),
        ("SSE", TransportChoice::Sse),
    ];
    for (word, choice) in words {
        let json = format!(r#"[{{"name":"docs","url":"https://x.example","transport":"{word}"}}]"#);
        assert_eq!(
            read(&json).unwrap().upstreams[0].transport,
            choice,
            "{word}"
        );
    }
}

#[test]
fn every_key_reaches_its_field() {
    let config = read(
        r#"[{"name":"docs","url":"https://x.example/${TOKEN}","include_tools":["get_*"],
            "ignore_tools":"*_SECRET","include_prompts":"p*","ignorePrompts":["*_old"],
            "include_resources":["FILE://*","notes"],"excludeResources":"*.key","headers":{"Authorization":"Bearer ${TOKEN}"},"prefix":"d-",
            "timeout":"90s", "maxCalls":3}]"#,
    )
    .unwrap();
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.url.as_url().path(), "/hunter2");
    assert!(upstream.tools.allows("GET_x") && !upstream.tools.allows("get_secret"));
    assert!(upstream.prompts.allows("Plan") && !upstream.prompts.allows("plan_old"));
    assert!(!upstream.prompts.allows("get_x"));
    let resource = |uri, name| upstream.resources.allows_any_name(&[uri, name]);
    assert!(resource("file:///a", "x") && resource("x://1", "Notes"));
    assert!(!resource("file:///a.KEY", "x") && !resource("x://1", "plan"));
    assert_eq!(upstream.headers["authorization"], "Bearer hunter2");
    assert_eq!(upstream.prefix, Prefix::Always("d-".to_owned()));
    assert_eq!(upstream.timeout, Duration::from_secs(90));
    assert_eq!(upstream.max_calls, Some(3));
    assert!(
        !format!("{config:?}")
            .replace("/hunter2", "")
            .contains("hunter2")
    );
}

#[test]
fn a_prefix_is_a_text_or_a_mode() {
    let always = |prefix: &str| Prefix::Always(prefix.to_owned());
    let cases = [
        ("true", always("docs__")),
        ("\"always\"", always("docs__")),
        ("\"x.\"", always("x.")),
        ("\"auto\"", Prefix::OnCollision),
        ("null", Prefix::OnCollision),
        ("\"\"", Prefix::Never),
        ("\"never\"", Prefix::Never),
        ("false", Prefix::Never),
    ];
    for (written, prefix) in cases {
        let json = format!(r#"[{{"name":"docs","url":"https://x.example","prefix":{written}}}]"#);
        assert_eq!(
            read(&json).unwrap().upstreams[0].prefix,
            prefix,
            "{written}"
        );
    }
}

#[test]
fn problems_of_one_upstream_are_reported_and_others_stay() {
    let bad = r#"
    "text", {"url":"https://x.example"}, {"name":"a"}, {"name":"b","url":7},
    {"name":"c","url":"http://c.example/mcp?key=hunter2"},
    {"name":"d","url":"https://d.example","transport":"htp","timeout":"soon","max_calls":0},
    {"name":"e","url":"https://e.example","headers":{"X-Key":"${NOPE}"}},
    {"name":"f","url":"https://f.example","ignore_tools":["[a"]},
    {"name":"f2","url":"https://f.example","ignore_prompts":["{a"],"include_resources":7,
     "ignore_resources":"[b-a]"},
    {"name":"g","url":"https://g.example","include_tool":["x"],"color":1,"timeout":600000},
    {"name":"docs","url":"https://again.example"},
    {"name":"d.ocs","url":"https://x.example"}, {"name":"d-ocs","url":"https://x.example"},
    {"name":"local","command":"npx","args":[]},
    {"name":"off","url":"https://off.example","disabled":true},
    {"name":7,"url":"https://x.example"}, {"name":"h","url":"https://x.example","disabled":"yes"},
    {"name":"i","url":"https://a.example","url":"https://b.example","headers":["x"],"prefix":7},
    {"name":"j","url":"https://j.example","oauth":7}"#;
    let config = read(&format!("[{DOCS},{bad}]")).unwrap();
    insta::assert_snapshot!(report(&config).join("\n"));
}

#[test]
fn an_empty_list_is_valid_with_a_warning() {
    for empty in ["[]", "{}", r#"{"mcpServers": {}}"#] {
        assert_eq!(
            report(&read(empty).unwrap()),
            ["Warning: PROXY_UPSTREAMS:1:1: the list is empty; there will be no tools"],
        );
    }
}

#[test]
fn invalid_json_is_reported_with_one_message() {
    let cases = [
        "[{\"name\":\"docs\" \"url\":1}]",
        "[{\\\"name\\\":\\\"docs\\\"}]",
        "'[]'",
        "https://mcp.example.com",
        "[{\"name\":\"docs\"",
        "",
        " ",
        "// nothing",
        "[] []",
        "7",
        "null",
        "\"text\"",
        "{\"mcpServers\":7}",
        "@/no/such/file.json",
        "@",
        &"[".repeat(100_000),
    ];
    let reports = cases.map(|text| match read(text) {
        Ok(config) => format!("{:?}", report(&config)),
        Err(error) => error.to_string(),
    });
    insta::assert_snapshot!(reports.join("\n"));
}

#[test]
fn a_file_is_read_and_named_in_problems() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("upstreams.json"),
        "\u{feff}{\n  // two\n  \"docs\": {\"url\": \"https://docs.example/mcp\",\n    \"colour\": 1},\n}",
    )
    .unwrap();
    let config = Config::from_environment(&environment(&[
        ("PROXY_UPSTREAMS", " @~/upstreams.json\n"),
        ("HOME", directory.path().to_str().unwrap()),
    ]))
    .unwrap();
    assert_eq!(
        report(&config),
        [
            "docs HttpFirst https://docs.example/mcp",
            "Warning: ~/upstreams.json:4:5: upstream `docs`: unknown key `colour`; it is ignored",
        ]
    );
}

#[test]
fn a_single_upstream_needs_one_variable() {
    let all = environment(&[
        ("PROXY_URL", "https://mcp.example.com/mcp"),
        ("PROXY_NAME", "docs"),
        ("PROXY_TRANSPORT", "sse"),
        ("PROXY_INCLUDE_TOOLS", "get_*, {list,find}_*"),
        ("PROXY_IGNORE_TOOLS", "[\"*_secret\"]"),
        ("PROXY_INCLUDE_PROMPTS", "p*"),
        ("PROXY_IGNORE_PROMPTS", "*_old"),
        ("PROXY_INCLUDE_RESOURCES", "file://*, notes"),
        ("PROXY_IGNORE_RESOURCES", "*.key"),
        ("PROXY_TIMEOUT", "7s"),
        ("ENABLE_ADDITIONAL_TOOLS", "proxy"),
    ]);
    let config = Config::from_environment(&all).unwrap();
    assert_eq!(report(&config), ["docs Sse https://mcp.example.com/mcp"]);
    let upstream = &config.upstreams[0];
    assert!(upstream.tools.allows("find_x") && !upstream.tools.allows("get_secret"));
    assert!(!upstream.tools.allows("set_x"));
    assert!(upstream.prompts.allows("plan") && !upstream.prompts.allows("plan_old"));
    assert!(!upstream.prompts.allows("ask"));
    assert!(upstream.resources.allows("notes") && !upstream.resources.allows("file:///a.key"));
    assert!(!upstream.resources.allows("x://1"));
    assert_eq!(upstream.timeout, Duration::from_secs(7));

    let url = format!("https://{}.example/", "a".repeat(63));
    let alone = Config::from_environment(&environment(&[("PROXY_URL", &url)])).unwrap();
    assert_eq!(
        alone.upstreams[0].name.as_str().len(),
        UpstreamName::MAX_CHARS
    );
}

#[test]
fn problems_of_variables_are_reported() {
    let upstreams = format!("[{DOCS}]");
    let config = Config::from_environment(&environment(&[
        ("PROXY_UPSTREAMS", &upstreams),
        ("PROXY_URL", "https://x.example"),
        ("PROXY_TIMEOUT", "never"),
        ("PROXY_FIRST_BYTE_TIMEOUT", "0"),
        ("PROXY_CONNECT_TIMEOUT", "2d"),
        ("PROXY_KEEP_ALIVE", "none"),
        ("PROXY_MAX_MESSAGE_BYTES", "1"),
        ("PROXY_STARTUP_WAIT", "0"),
        ("PROXY_TOOL_NAME_LENGTH", "8"),
    ]))
    .unwrap();
    assert_eq!(config.limits, Limits::default());
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.timeout, DEFAULT_TIMEOUT);
    assert_eq!(upstream.first_byte_timeout, DEFAULT_TIMEOUT);
    assert_eq!(upstream.keep_alive, Some(DEFAULT_KEEP_ALIVE));
    insta::assert_snapshot!(report(&config).join("\n"));
}

#[test]
fn a_configuration_without_upstreams_is_an_error_with_a_remedy() {
    let cases: [&[(&str, &str)]; 5] = [
        &[],
        &[("PROXY_UPSTREAM", "[]")],
        &[("PROXY_URL", "mcp.example.com"), ("PROXY_TRANSPORT", "tcp")],
        &[(
            "PROXY_UPSTREAMS",
            r#"[{"name":"a"},{"url":"https://x.example"}]"#,
        )],
        &[("PROXY_UPSTREAMS", "")],
    ];
    let reports = cases.map(|variables| {
        Config::from_environment(&environment(variables))
            .unwrap_err()
            .to_string()
    });
    insta::assert_snapshot!(reports.join("\n"));
}

proptest! {
    #[test]
    fn no_text_panics(text in r#"([\[\]{}:,"\\/* \n0-9a-z$-]|name|url|https://x|é|"headers"){0,60}"#) {
        let _ = read(&text);
    }

    #[test]
    fn no_value_of_a_key_panics(
        key in proptest::sample::select(KEYS.map(|known| known.name).to_vec()),
        value in r#"(null|true|-?[0-9]{1,30}|"[a-z$\{\}\[\]:-]{0,12}"|\["[\[{a*]{0,5}"\]|\{"[a-z -]{0,5}":"[$\{\}a]{0,6}"\})"#,
    ) {
        let _ = read(&format!(r#"[{{"name":"docs","url":"https://x.example","{key}":{value}}}]"#));
    }
}
