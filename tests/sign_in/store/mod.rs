//! Login files on disk, used by one process and by several at once.

mod child;
mod files;
mod processes;
mod token_server;

use std::path::Path;

use mcp_manifold::config::Secret;
use mcp_manifold::config::{Config, Environment};
use mcp_manifold::oauth::{Members, RecordFile, Snapshot, Store, Swap, Timestamp, Tokens, Version};
use tempfile::TempDir;

/// The store of an upstream with this name and URL.
fn store(home: &Path, name: &str, url: &str) -> Store {
    let upstreams = serde_json::json!([{"name": name, "url": url}]).to_string();
    let environment = Environment::from_iter([("PROXY_UPSTREAMS".to_owned(), upstreams)]);
    let config = Config::from_environment(&environment).unwrap();
    let [upstream] = &config.upstreams[..] else {
        panic!("{config:?}");
    };
    Store::new(home, &upstream.name, &upstream.url)
}

/// The store that most tests use.
fn docs(home: &Path) -> Store {
    store(home, "docs", "https://mcp.example.com/mcp")
}

/// Tokens with this refresh token.
fn tokens(refresh_token: &str) -> Tokens {
    Tokens {
        issuer: "https://id.example.com".to_owned(),
        resource: Some("https://mcp.example.com/mcp".to_owned()),
        client_id: "client".to_owned(),
        access_token: Secret::new(format!("access-of-{refresh_token}")),
        token_type: "Bearer".to_owned(),
        expires_at: Some(Timestamp(1_800_000_000)),
        refresh_token: Some(Secret::new(refresh_token.to_owned())),
        scope: Some("read".to_owned()),
        issued_at: None,
        dpop_key: None,
        other: Members::default(),
    }
}

/// The refresh token of a loaded record.
fn refresh_token(snapshot: &Snapshot<Tokens>) -> &str {
    let tokens = snapshot.record.as_ref().unwrap();
    tokens.refresh_token.as_ref().unwrap().expose()
}

/// Returns the state after a change that must have succeeded.
fn done<T: std::fmt::Debug>(swap: Swap<T>) -> Snapshot<T> {
    match swap {
        Swap::Done(snapshot) => snapshot,
        Swap::Conflict(there) => panic!("lost against {there:?}"),
    }
}

/// Returns the current state of a change that must have conflicted.
fn conflict<T: std::fmt::Debug>(swap: Swap<T>) -> Snapshot<T> {
    match swap {
        Swap::Conflict(there) => there,
        Swap::Done(snapshot) => panic!("changed to {snapshot:?}"),
    }
}

/// Stores the first tokens, with this refresh token. Returns the new state.
async fn store_tokens(store: &Store, refresh_token: &str) -> Snapshot<Tokens> {
    let stored = store.tokens();
    let swap = stored.replace(Version::NONE, tokens(refresh_token)).await;
    done(swap.unwrap())
}

/// A home directory, its token file, and the state after `r1` was stored.
async fn stored_tokens() -> (TempDir, RecordFile<Tokens>, Snapshot<Tokens>) {
    let home = tempfile::tempdir().unwrap();
    let store = docs(home.path());
    let first = store_tokens(&store, "r1").await;
    (home, store.tokens(), first)
}
