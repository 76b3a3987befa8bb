//! The table as users see it.

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn row(name: &str, sign_in: SignIn) -> Row {
    Row {
        name: name.to_owned(),
        url: format!("https://{name}.example.com/mcp"),
        transport: None,
        era: None,
        version: None,
        tools: None,
        remembered_tools: None,
        remembered_at: None,
        sign_in,
        issuer: None,
        client_id: None,
        scopes: None,
        expires_at: None,
        renewable: None,
        problem: None,
        command: None,
        sign_in_url: None,
    }
}

#[test]
fn a_table_has_a_row_per_upstream_and_remedies_below() {
    let linear = Row {
        transport: Some("http"),
        era: Some("modern"),
        version: Some("2026-07-28"),
        tools: Some(12),
        remembered_tools: Some(11),
        remembered_at: Some(NOW.0 - 4 * 86_400),
        scopes: Some(vec!["read".to_owned(), "write\u{1b}[2J".to_owned()]),
        expires_at: Some(NOW.0 + 3_480),
        renewable: Some(true),
        ..row("linear", SignIn::SignedIn)
    };
    let old = Row {
        transport: Some("sse"),
        era: Some("legacy"),
        version: Some("2024-11-05"),
        tools: Some(1),
        ..row("old", SignIn::NotNeeded)
    };
    let ended = Row {
        expires_at: Some(NOW.0 - 7_200),
        renewable: Some(false),
        problem: Some("its token has ended; run `mcp-manifold login ended`".to_owned()),
        command: Some("mcp-manifold login ended".to_owned()),
        ..row("ended", SignIn::Expired)
    };
    let new = Row {
        remembered_tools: Some(1),
        remembered_at: Some(NOW.0 + 5),
        problem: Some("the server needs you to sign in; run `mcp-manifold login new`".to_owned()),
        command: Some("mcp-manifold login new".to_owned()),
        ..row("new", SignIn::Missing)
    };
    insta::assert_snapshot!(table(&[linear, old, ended, new], NOW));
}

#[test]
fn the_sign_in_cell_has_the_time_left() {
    let signed_in = |expires_at, renewable| {
        let row = Row {
            expires_at,
            renewable: Some(renewable),
            ..row("x", SignIn::SignedIn)
        };
        super::sign_in(&row, NOW)
    };
    let cases = [
        (None, true, "signed in"),
        (Some(NOW.0 + 59), true, "signed in, renewed in 59 s"),
        (Some(NOW.0 + 300), false, "signed in, ends in 5 min"),
        (Some(NOW.0 + 8_000), false, "signed in, ends in 2 h"),
        (Some(NOW.0 + 400_000), true, "signed in, renewed in 4 d"),
        (Some(NOW.0 - 5), true, "signed in, renewed when used"),
    ];
    for (end, renewable, expected) in cases {
        assert_eq!(signed_in(end, renewable), expected);
    }
}

#[test]
fn no_upstreams_are_reported() {
    assert_eq!(table(&[], NOW), "no upstreams\n");
}
