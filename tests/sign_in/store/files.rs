//! One process: the files on disk, their permissions, and the errors.

use std::fs;
use std::path::Path;
use std::time::Duration;

use mcp_manifold::disk::DiskError;
use mcp_manifold::oauth::{LockKind, StoreError, Version};
use serde_json::{Value, json};

use super::{conflict, docs, done, refresh_token, store, store_tokens, stored_tokens, tokens};

#[tokio::test]
async fn record_is_stored_replaced_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let stored = docs(home.path()).tokens();
    let nothing = stored.load().await.unwrap();
    assert_eq!((&nothing.record, nothing.version), (&None, Version::NONE));
    assert!(
        !home.path().join("oauth").exists(),
        "reading creates nothing"
    );

    let first = done(stored.replace(Version::NONE, tokens("r1")).await.unwrap());
    assert!(!nothing.is_current() && first.is_current());
    let second = done(stored.replace(first.version, tokens("r2")).await.unwrap());
    assert!(!first.is_current() && second.is_current());
    let loaded = stored.load().await.unwrap();
    assert_eq!(loaded.record, Some(tokens("r2")));
    assert_eq!(loaded.version, second.version);
    assert!(loaded.is_current());

    let gone = done(stored.remove(loaded.version).await.unwrap());
    assert!(!loaded.is_current() && gone.is_current());
    assert_eq!(stored.load().await.unwrap().record, None);
}

#[tokio::test]
async fn change_from_a_stale_version_is_rejected() {
    let (_home, stored, first) = stored_tokens().await;
    let second = done(stored.replace(first.version, tokens("r2")).await.unwrap());

    for stale in [Version::NONE, first.version] {
        let there = conflict(stored.replace(stale, tokens("stale")).await.unwrap());
        assert_eq!(
            refresh_token(&there),
            "r2",
            "the conflict returns the current state"
        );
        let there = conflict(stored.remove(stale).await.unwrap());
        assert_eq!(there.version, second.version);
    }
    assert_eq!(refresh_token(&stored.load().await.unwrap()), "r2");
}

#[tokio::test]
async fn login_after_a_removal_has_another_version() {
    let (_home, stored, first) = stored_tokens().await;
    let gone = done(stored.remove(first.version).await.unwrap());
    done(stored.replace(gone.version, tokens("r2")).await.unwrap());

    let there = conflict(stored.remove(first.version).await.unwrap());
    assert_eq!(refresh_token(&there), "r2");
}

#[tokio::test]
async fn login_files_are_at_the_documented_paths() {
    let home = tempfile::tempdir().unwrap();
    let store = docs(home.path());
    store_tokens(&store, "r1").await;
    let client =
        json!({"issuer": "https://id.example.com", "client_id": "c", "client_secret": "s"});
    let client = serde_json::from_value(client).unwrap();
    done(store.client().replace(Version::NONE, client).await.unwrap());

    let read = |file: &str| -> Value {
        let text = fs::read_to_string(home.path().join("oauth/docs").join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (tokens, client) = (read("tokens.json"), read("client-info.json"));
    assert_eq!(tokens["expires_at"], 1_800_000_000);
    assert_eq!(tokens["refresh_token"], "r1");
    for record in [&tokens, &client] {
        assert_eq!(record["issuer"], "https://id.example.com");
        assert_eq!(record["url"], "https://mcp.example.com/mcp");
    }
}

#[tokio::test]
async fn unknown_members_survive_a_refresh() {
    let (home, stored, _) = stored_tokens().await;
    let path = home.path().join("oauth/docs/tokens.json");
    let mut text: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    text["from_the_future"] = json!({"a": [1, null, "x"]});
    fs::write(&path, text.to_string()).unwrap();

    let loaded = stored.load().await.unwrap();
    let mut record = loaded.record.unwrap();
    record.scope = None;
    done(stored.replace(loaded.version, record).await.unwrap());
    let written: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(written["from_the_future"], text["from_the_future"]);
}

#[tokio::test]
async fn login_of_another_url_is_ignored_and_replaceable() {
    let home = tempfile::tempdir().unwrap();
    let theirs = docs(home.path()).tokens();
    done(
        theirs
            .replace(Version::NONE, tokens("theirs"))
            .await
            .unwrap(),
    );
    // A copy by hand may lack `upstream.json`, which names the URL of the tokens.
    fs::remove_file(home.path().join("oauth/docs/upstream.json")).unwrap();

    let ours = store(home.path(), "docs", "https://other.example/mcp").tokens();
    let found = ours.load().await.unwrap();
    assert_eq!(found.record, None);
    assert_ne!(found.version, Version::NONE);
    done(ours.replace(found.version, tokens("ours")).await.unwrap());
    assert_eq!(refresh_token(&ours.load().await.unwrap()), "ours");
}

#[tokio::test]
async fn damaged_file_is_named_and_kept() {
    let (home, stored, first) = stored_tokens().await;
    let path = home.path().join("oauth/docs/tokens.json");
    let whole = fs::read_to_string(&path).unwrap();

    let cut = &whole[..whole.len() / 2];
    for damaged in [
        "",
        "\"a-secret\"",
        "{\"generation\": \"a-secret\"}",
        "{}",
        "\0\0",
        cut,
    ] {
        fs::write(&path, damaged).unwrap();
        let load = stored.load().await.unwrap_err();
        let replace = stored
            .replace(first.version, tokens("r2"))
            .await
            .unwrap_err();
        let remove = stored.remove(first.version).await.unwrap_err();
        for error in [load, replace, remove] {
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("`{}` is damaged", path.display())));
            assert!(text.ends_with("; delete it, then run `mcp-manifold login docs`"));
            assert!(!text.contains("a-secret"), "{text}");
            assert!(!format!("{error:?}").contains("a-secret"), "{error:?}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
    fs::remove_file(&path).unwrap();
    done(stored.replace(Version::NONE, tokens("r2")).await.unwrap());
}

#[tokio::test]
async fn unfinished_temporary_file_is_ignored() {
    let (home, stored, first) = stored_tokens().await;
    fs::write(home.path().join("oauth/docs/tokens.new"), "{\"gener").unwrap();
    assert_eq!(refresh_token(&stored.load().await.unwrap()), "r1");
    done(stored.replace(first.version, tokens("r2")).await.unwrap());
    assert!(!home.path().join("oauth/docs/tokens.new").exists());
}

#[tokio::test]
async fn login_folder_may_vanish_at_run_time() {
    let home = tempfile::tempdir().unwrap();
    let store = docs(home.path());
    store_tokens(&store, "r1").await;
    fs::remove_dir_all(home.path().join("oauth")).unwrap();
    assert_eq!(store.tokens().load().await.unwrap().record, None);
    store_tokens(&store, "r2").await;
}

#[tokio::test]
async fn lock_excludes_tasks_of_the_same_process() {
    let home = tempfile::tempdir().unwrap();
    let store = docs(home.path());
    let held = store.lock(LockKind::Login, Duration::ZERO).await.unwrap();
    assert!(store.try_lock(LockKind::Login).await.unwrap().is_none());
    let waited = Duration::from_millis(30);
    let error = store.lock(LockKind::Login, waited).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Disk(DiskError::Busy { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("login.lock"), "{error}");
    let other = store.try_lock(LockKind::Refresh).await.unwrap();
    assert!(other.is_some(), "a login does not block a refresh");
    drop(held);
    assert!(store.try_lock(LockKind::Login).await.unwrap().is_some());
}

#[tokio::test]
async fn impossible_login_folder_is_an_error_with_a_remedy() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let store = docs(&file);
    let error = store.tokens().replace(Version::NONE, tokens("r1")).await;
    let text = error.unwrap_err().to_string();
    let start = format!("cannot create the login folder `{}`: ", file.display());
    assert!(text.starts_with(&start), "{text}");
    assert!(
        text.contains("; set `MCP_MANIFOLD_HOME` to another folder"),
        "{text}"
    );
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn stored_files_are_private() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("deep/home");
        let store = docs(&root);
        let stored = store.tokens();
        let first = done(stored.replace(Version::NONE, tokens("r1")).await.unwrap());
        done(stored.replace(first.version, tokens("r2")).await.unwrap());
        let _lock = store.lock(LockKind::Refresh, Duration::ZERO).await.unwrap();

        let mut files = 0;
        let mut folders = vec![home.path().join("deep")];
        while let Some(folder) = folders.pop() {
            assert_eq!(mode(&folder), 0o700, "{}", folder.display());
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files += 1;
                    assert_eq!(mode(&path), 0o600, "{}", path.display());
                }
            }
        }
        assert_eq!(files, 5, "tokens, owner and three locks");
    }

    #[tokio::test]
    async fn readable_files_are_made_private() {
        let (home, stored, first) = stored_tokens().await;
        let folder = home.path().join("oauth/docs");
        let file = folder.join("tokens.json");
        set_mode(home.path(), 0o755);
        set_mode(&folder, 0o755);
        set_mode(&file, 0o644);

        stored.load().await.unwrap();
        assert_eq!(mode(&file), 0o600);
        done(stored.replace(first.version, tokens("r2")).await.unwrap());
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(home.path()), 0o755, "the user's own choice");
    }
}
