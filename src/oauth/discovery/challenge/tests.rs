//! Challenges of the standards, of real servers, and of an attacker.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::header::{RawChallenge, is_token, is_token68, parse};
use super::*;

fn read(lines: &[&str]) -> Challenges {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
    }
    Challenges::from_headers(&headers)
}

fn bearer(lines: &[&str]) -> Challenge {
    let challenges = read(lines);
    challenges.bearer.unwrap_or_else(|| panic!("{lines:?}"))
}

#[test]
fn the_scope_comes_from_the_bearer_challenge() {
    let cases: &[(&[&str], Option<&str>)] = &[
        (&[r#"Bearer scope="files:read""#], Some("files:read")),
        (&["Bearer scope=read"], Some("read")),
        (&[r#"bEARER SCOPE="a b""#], Some("a b")),
        (&["Bearer"], None),
        (&["Bearer "], None),
        (&[r#"Bearer scope="""#], Some("")),
        // Text in strings, and parameters of other schemes.
        (
            &[r#"Bearer error_description="need scope=admin now", scope="files:write""#],
            Some("files:write"),
        ),
        (
            &[r#"Basic realm="scope=zzz", Bearer scope="ok""#],
            Some("ok"),
        ),
        (&[r#"Basic scope="zzz", Bearer"#], None),
        (&[r#"Bearer realm="a", Basic scope="zzz""#], None),
        (
            &[r#"Bearer realm="a \", scope=\"zzz", scope="ok""#],
            Some("ok"),
        ),
        (&[r#"Bearer xscope="zzz", scope-x=y"#], None),
        (&[r#"Basic realm="Bearer scope=zzz""#], None),
        // Several lines, empty elements, white space.
        (&["Basic realm=x", "Bearer scope=ok"], Some("ok")),
        (&["Bearer realm=x", r#"scope="ok""#], Some("ok")),
        (
            &[", ,Negotiate , ,Bearer , realm=x,,scope = \t\"ok\" ,"],
            Some("ok"),
        ),
        (&["Negotiate YWJj==, Bearer scope=ok, NTLM abc"], Some("ok")),
        (&["Bearer scope=first, scope=second"], Some("first")),
        // Deviations from the grammar.
        (&[r#"Bearer realm="x" scope="ok""#], Some("ok")),
        (&[r#"Bearer scope="ok" garbage, error=x"#], Some("ok")),
        (&[r#"Bearer scope="never ends, error=x"#], None),
        (&[r#"Bearer realm="never ends"#, "Bearer scope=no"], None),
        (&["Bearer scope=, error=x"], None),
        (&[r#"Bearer realm=x, ==, "b,c", @, scope=ok"#], Some("ok")),
    ];
    for (lines, expected) in cases {
        let challenge = read(lines).bearer.unwrap_or_default();
        assert_eq!(challenge.scope.as_deref(), *expected, "{lines:?}");
    }
    for lines in [&[][..], &["Basic realm=x"], &["scope=x"], &["BearerX a=b"]] {
        assert_eq!(read(lines), Challenges::default(), "{lines:?}");
    }
}

#[test]
fn every_part_of_a_challenge_is_read() {
    let challenges = read(&[
        r#"Bearer error="insufficient_scope", scope="a b", resource_metadata="https://mcp.example/.well-known/x", error_description="say \"please\"", DPoP algs="ES256 EdDSA", error="use_dpop_nonce""#,
    ]);
    assert_eq!(
        challenges.bearer,
        Some(Challenge {
            resource_metadata: Some("https://mcp.example/.well-known/x".to_owned()),
            scope: Some("a b".to_owned()),
            error: Some("insufficient_scope".to_owned()),
            error_description: Some("say \"please\"".to_owned()),
            algs: None,
        })
    );
    let dpop = challenges.dpop.as_ref().unwrap();
    assert_eq!(dpop.algs.as_deref(), Some("ES256 EdDSA"));
    assert!(challenges.has_error("use_dpop_nonce"));
    assert!(!challenges.has_error("invalid_token"));
    assert_eq!(challenges.scopes(), Some(vec!["a", "b"]));
}

#[test]
fn of_repeated_parameters_the_first_wins_in_any_case() {
    let challenges = parse([&b"Bearer Scope=a, sCOPE=b"[..], b"scope=c"]);
    let scope = ("scope".to_owned(), "a".to_owned());
    assert_eq!(challenges[0].parameters, [scope]);
}

#[test]
fn an_unquoted_address_is_read_whole() {
    let challenge = bearer(&["Bearer resource_metadata=https://a.example:1/x?y=z, scope=a:b"]);
    let url = challenge.resource_metadata.as_deref();
    assert_eq!(url, Some("https://a.example:1/x?y=z"));
    assert_eq!(challenge.scope.as_deref(), Some("a:b"));
}

#[test]
fn of_several_challenges_the_one_with_metadata_wins() {
    let lines = [
        "Bearer realm=x, scope=a",
        "Bearer resource_metadata=https://a.example, scope=b",
    ];
    assert_eq!(bearer(&lines).scope.as_deref(), Some("b"));
    let dpop = read(&["DPoP scope=a, resource_metadata=https://a.example, Basic realm=x"]);
    assert_eq!(dpop.resource_metadata(), Some("https://a.example"));
    assert_eq!(dpop.scopes(), Some(vec!["a"]));
    assert_eq!(read(&[r#"Bearer scope="""#]).scopes(), Some(vec![]));
    assert_eq!(read(&["Bearer"]).scopes(), None);
}

#[test]
fn a_description_is_one_line_of_limited_length() {
    let line = format!(
        "Bearer error_description=\"a\tb\u{9b}c{}\"",
        "x".repeat(500)
    );
    let mut headers = HeaderMap::new();
    let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
    headers.append(WWW_AUTHENTICATE, line);
    let challenge = Challenges::from_headers(&headers).bearer.unwrap();
    let description = challenge.error_description.unwrap();
    assert!(description.starts_with("a b cx"), "{description:?}");
    assert_eq!(description.chars().count(), DESCRIPTION_CHARS);
}

#[test]
fn challenges_and_parameters_are_limited() {
    let flood: String = (0..10_000).map(|n| format!("p{n}=x,")).collect();
    let challenges = parse([format!("Bearer {flood}").as_bytes()]);
    assert_eq!(challenges[0].parameters.len(), 64);
    assert_eq!(parse(["a,".repeat(10_000).as_bytes()]).len(), 64);
}

/// Generates a name or value of accepted bytes.
fn bytes_of(accepts: fn(u8) -> bool) -> impl Strategy<Value = String> {
    let bytes: Vec<u8> = (0..=127).filter(|&byte| accepts(byte)).collect();
    prop::collection::vec(prop::sample::select(bytes), 1..8)
        .prop_map(|bytes| String::from_utf8(bytes).unwrap())
}

/// Generates a parameter, parsed and as written.
fn parameter() -> impl Strategy<Value = ((String, String), String)> {
    let spaces = || prop::sample::select(vec!["", " ", "\t "]);
    let value = "[ -~\u{e9}\t]{0,8}";
    (bytes_of(is_token), spaces(), spaces(), value, any::<bool>()).prop_map(
        |(name, before, after, value, escape_all)| {
            let plain = !value.is_empty() && value.bytes().all(is_token);
            let escaped = |c: char| match c {
                '"' | '\\' => format!("\\{c}"),
                c if escape_all && c.is_ascii() => format!("\\{c}"),
                c => c.to_string(),
            };
            let written = if plain && !escape_all {
                value.clone()
            } else {
                format!("\"{}\"", value.chars().map(escaped).collect::<String>())
            };
            let written = format!("{name}{before}={after}{written}");
            ((name.to_ascii_lowercase(), value), written)
        },
    )
}

/// Generates a challenge, parsed and as written.
fn challenge() -> impl Strategy<Value = (RawChallenge, String)> {
    let token68 = (bytes_of(is_token68), 0..3_usize).prop_map(|(t, n)| t + &"=".repeat(n));
    let parameters = prop::collection::vec(parameter(), 0..4);
    let comma = prop::sample::select(vec![",", ", ", " ,, \t"]);
    let content = prop_oneof![
        token68.prop_map(|it| (Some(it), Vec::new())),
        parameters.prop_map(|it| (None, it)),
    ];
    (bytes_of(is_token), content, comma).prop_map(|(scheme, (token68, parameters), comma)| {
        let mut raw = RawChallenge {
            scheme: scheme.to_ascii_lowercase(),
            token68: token68.clone(),
            parameters: Vec::new(),
        };
        let mut written = Vec::from_iter(token68);
        for ((name, value), text) in parameters {
            if raw.parameter(&name).is_none() {
                raw.parameters.push((name, value));
            }
            written.push(text);
        }
        (raw, format!("{scheme} {}", written.join(comma)))
    })
}

proptest! {
    #[test]
    fn a_written_header_parses_to_its_challenges(
        challenges in prop::collection::vec((challenge(), any::<bool>()), 0..5),
    ) {
        let mut lines = vec![String::new()];
        for ((_, written), new_line) in &challenges {
            match lines.last_mut() {
                Some(line) if !new_line => *line += &format!(", {written}"),
                _ => lines.push(written.clone()),
            }
        }
        let read = parse(lines.iter().map(String::as_bytes));
        let meant: Vec<RawChallenge> = challenges.into_iter().map(|((raw, _), _)| raw).collect();
        prop_assert_eq!(read, meant, "{:?}", lines);
    }

    #[test]
    fn no_bytes_cause_a_panic(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3),
    ) {
        parse(lines.iter().map(Vec::as_slice));
    }

    #[test]
    fn no_text_of_delimiters_causes_a_panic(
        lines in prop::collection::vec("([a-c]|[=\",\\\\ \t]){0,30}", 0..3),
    ) {
        for raw in parse(lines.iter().map(String::as_bytes)) {
            prop_assert!(!raw.scheme.is_empty());
            prop_assert!(raw.parameters.iter().all(|(name, _)| !name.is_empty()));
        }
    }
}
