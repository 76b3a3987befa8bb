//! The folders of logins by name and owner.

use super::*;
use crate::config::{Config, Environment};

/// Returns the folder of a configured upstream.
fn folder(home: &Path, name: &str, url: &str) -> Folder {
    let upstreams = serde_json::json!([{"name": name, "url": url}]).to_string();
    let environment = Environment::from_iter([("PROXY_UPSTREAMS".to_owned(), upstreams)]);
    let config = Config::from_environment(&environment).unwrap();
    Folder::new(home, &config.upstreams[0].name, &config.upstreams[0].url)
}

#[test]
fn a_name_that_is_no_safe_file_name_has_a_hash() {
    let cases = [
        ("linear", "linear"),
        ("mcp.example.com", "mcp.example.com"),
        ("My_Server-2", "My_Server-2"),
        ("com10", "com10"),
        ("console", "console"),
        ("..", "--"),
        (".lock", "lock-"),
        ("a/../../b", "a-..-..-b-"),
        ("C:\\x", "C--x-"),
        ("con", "con-"),
        ("NUL.txt", "NUL.txt-"),
        ("Com1", "Com1-"),
        ("dot.", "dot.-"),
        ("two words", "two-words-"),
        ("größe", "gr--e-"),
    ];
    for (name, expected) in cases {
        let found = folder(Path::new("/nowhere"), name, "https://x.example/").locate();
        let found = found.unwrap();
        let last = found.file_name().unwrap().to_str().unwrap();
        assert_eq!(found.parent().unwrap(), Path::new("/nowhere/oauth"));
        match is_portable_name(name) {
            true => assert_eq!(last, expected),
            false => {
                let start = expected.trim_start_matches('-');
                let hash = &last[last.len() - 16..];
                assert!(last.starts_with(start), "{name}: {last}");
                assert!(hash.chars().all(|c| c.is_ascii_hexdigit()), "{last}");
            }
        }
    }
}

#[tokio::test]
async fn equal_names_with_different_urls_have_different_folders() {
    let home = tempfile::tempdir().unwrap();
    let first = folder(home.path(), "docs", "https://one.example/mcp");
    let second = folder(home.path(), "docs", "https://two.example/mcp");
    let plain = home.path().join("oauth/docs");

    assert_eq!(first.claim().await.unwrap(), plain);
    let hashed_path = second.claim().await.unwrap();
    assert_ne!(hashed_path, plain);
    assert_eq!(first.locate().unwrap(), plain);
    assert_eq!(second.locate().unwrap(), hashed_path);
    assert_eq!(second.claim().await.unwrap(), hashed_path);
}

#[tokio::test]
async fn of_two_concurrent_claims_one_gets_the_folder() {
    for _ in 0..20 {
        let home = tempfile::tempdir().unwrap();
        let first = folder(home.path(), "docs", "https://one.example/mcp");
        let second = folder(home.path(), "docs", "https://two.example/mcp");
        let (one, two) = tokio::join!(first.claim(), second.claim());
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one, two);
        assert_eq!(
            (first.locate().unwrap(), second.locate().unwrap()),
            (one, two),
            "what was claimed is found again"
        );
    }
}

#[test]
fn the_query_is_neither_compared_nor_stored() {
    let with = folder(Path::new("/"), "docs", "https://one.example/mcp?key=1");
    let without = folder(Path::new("/"), "docs", "https://one.example/mcp");
    assert_eq!(with.owner, without.owner);
}
