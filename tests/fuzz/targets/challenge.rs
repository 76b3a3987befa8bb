//! `WWW-Authenticate`: only values in the header are returned, and other schemes change nothing.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use mcp_manifold::oauth::{Challenge, Challenges};

/// The maximum length of a description in characters.
const DESCRIPTION_CHARS: usize = 200;

/// Below the limit of challenges, so that one more does not displace another.
const FEW: usize = 60;

/// Each line of the input is a header line, if HTTP allows it.
pub(crate) fn challenge(data: &[u8]) {
    let lines: Vec<_> = data.split(|&byte| byte == b'\n').collect();
    let lines: Vec<_> = lines
        .into_iter()
        .filter(|line| HeaderValue::from_bytes(line).is_ok())
        .collect();
    let challenges = read(&lines);
    assert_eq!(read(&lines), challenges, "read twice");
    for challenge in challenges.bearer.iter().chain(&challenges.dpop) {
        check_values(&lines, challenge);
    }
    check_readers(&challenges);
    check_others(&lines, &challenges);
    check_joined(&lines, &challenges);
}

fn read(lines: &[&[u8]]) -> Challenges {
    let mut headers = HeaderMap::new();
    for line in lines {
        let line = HeaderValue::from_bytes(line).expect("a valid header value");
        headers.append(WWW_AUTHENTICATE, line);
    }
    Challenges::from_headers(&headers)
}

/// Asserts that each value is in a line, bare or as a quoted string.
fn check_values(lines: &[&[u8]], challenge: &Challenge) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let quoted: Vec<_> = lines.iter().flat_map(|line| all_quoted(line)).collect();
    let stands = |value: &str, shown: fn(String) -> String| {
        quoted.iter().any(|quoted| shown(text(quoted)) == value)
            || lines.iter().any(|line| is_bare(value, &shown(text(line))))
    };
    let parts = [
        &challenge.resource_metadata,
        &challenge.scope,
        &challenge.error,
        &challenge.algs,
    ];
    for value in parts.into_iter().flatten() {
        assert!(stands(value, |text| text), "{value:?} is not written");
    }
    if let Some(description) = &challenge.error_description {
        assert!(description.chars().count() <= DESCRIPTION_CHARS);
        assert!(!description.contains(char::is_control));
        let shown = |text: String| -> String {
            let chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            chars.collect()
        };
        let cut = |text: String| -> String {
            let chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            chars.take(DESCRIPTION_CHARS).collect()
        };
        let mut all = lines.iter().map(|line| shown(text(line)));
        let bare = all.any(|line| is_bare(description, &line));
        assert!(
            bare || stands(description, cut),
            "{description:?} is not written"
        );
    }
}

/// Whether the value follows an `=`, with nothing but white space between.
fn is_bare(value: &str, line: &str) -> bool {
    let follows = |at| line[at..].starts_with(value) && line[..at].trim_end().ends_with('=');
    !value.is_empty() && line.char_indices().any(|(at, _)| follows(at))
}

/// The quoted strings that begin at any of the quotes (RFC 9110 § 5.6.4).
fn all_quoted(line: &[u8]) -> Vec<Vec<u8>> {
    let starts = (0..line.len()).filter(|&at| line[at] == b'"');
    let quoted = starts.filter_map(|start| {
        let (mut value, mut bytes) = (Vec::new(), line[start + 1..].iter());
        loop {
            match bytes.next()? {
                b'"' => return Some(value),
                b'\\' => value.push(*bytes.next()?),
                byte => value.push(*byte),
            }
        }
    });
    quoted.collect()
}

/// Asserts that combined values are those of the first challenge that has them.
fn check_readers(challenges: &Challenges) {
    let both: Vec<_> = challenges.bearer.iter().chain(&challenges.dpop).collect();
    let first = |part: fn(&Challenge) -> Option<&str>| both.iter().find_map(|it| part(it));
    let metadata = first(|it| it.resource_metadata.as_deref());
    assert_eq!(challenges.resource_metadata(), metadata);
    let scope = first(|it| it.scope.as_deref());
    let scopes = challenges.scopes();
    assert_eq!(scopes.is_some(), scope.is_some());
    for scope in scopes.into_iter().flatten() {
        assert!(!scope.is_empty() && !scope.contains(' '));
    }
    for error in ["invalid_token", "insufficient_scope", "use_dpop_nonce"] {
        let has = both.iter().any(|it| it.error.as_deref() == Some(error));
        assert_eq!(challenges.has_error(error), has);
    }
}

/// Asserts that an unknown scheme before or after changes nothing.
fn check_others(lines: &[&[u8]], challenges: &Challenges) {
    let other: &[u8] = br#"Basic realm="Bearer scope=\"x\", resource_metadata=y", scope="z""#;
    assert_eq!(&read(&[lines, &[other]].concat()), challenges, "after");
    let commas = lines
        .iter()
        .map(|line| line.iter().filter(|&&byte| byte == b',').count() + 1);
    if commas.sum::<usize>() < FEW {
        assert_eq!(&read(&[&[other], lines].concat()), challenges, "before");
    }
}

/// Asserts that lines are one list (RFC 9110 § 5.3), except with unterminated quoted strings.
fn check_joined(lines: &[&[u8]], challenges: &Challenges) {
    if !lines.iter().any(|line| line.contains(&b'"')) {
        let joined = lines.join(&b", "[..]);
        assert_eq!(&read(&[&joined]), challenges, "joined");
    }
}
