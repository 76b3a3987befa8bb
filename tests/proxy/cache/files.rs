//! Cache files: permissions, damaged files, and when the proxy writes or deletes them.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::cache::{
    cache_files, cache_folder, fill_cache, replace_with_hanging, set_modified, with_all_kinds,
};
use testkit::proxy;
use testkit::upstream;

#[cfg(unix)]
#[tokio::test]
async fn cache_is_private_to_the_user() {
    use std::os::unix::fs::PermissionsExt;

    let server = with_all_kinds(upstream::legacy()).start().await;
    let home = proxy::home();
    fill_cache(proxy::new().home(&home).upstream("a", &server)).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cache_folder(&home)), 0o700);
    assert_eq!(mode(cache_folder(&home).parent().unwrap()), 0o700);
    let mut seen = 0;
    for entry in cache_folder(&home).read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 2, "{seen}");
}

#[tokio::test]
async fn damaged_cache_file_is_ignored_and_replaced() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("a", &server);
        proxy.env("PROXY_STARTUP_WAIT", "100ms").env("DEBUG", "1")
    };
    fill_cache(proxy()).await;
    let file = cache_files(&home).remove(0);
    let good = fs::read_to_string(&file).unwrap();
    let changed = |key: &str, value: Value| {
        let mut entry: Value = serde_json::from_str(&good).unwrap();
        entry[key] = value;
        entry.to_string().into_bytes()
    };
    let large = || {
        let file = fs::File::create(&file).unwrap();
        file.set_len((64 << 20) + 1).unwrap();
    };
    let broken = [
        ("empty", Vec::new()),
        ("half", good.as_bytes()[..good.len() / 2].to_vec()),
        ("cut", good.as_bytes()[..good.len() - 1].to_vec()),
        ("zeros", vec![0; good.len()]),
        ("not text", b"\xff\xfe{}".to_vec()),
        ("foreign", br#"{"hello":"world"}"#.to_vec()),
        ("a list", b"[]".to_vec()),
        ("deep", "[".repeat(100_000).into_bytes()),
        ("twice", good.repeat(2).into_bytes()),
        ("format", changed("format", json!(2))),
        ("another format", br#"{"format":7,"tools":"none"}"#.to_vec()),
        ("era", changed("era", json!("future"))),
        ("version", changed("version", json!("2026-07-28"))),
        ("digest", changed("bound", json!("00"))),
        ("tools", changed("tools", json!({}))),
    ];
    for (what, bytes) in broken {
        fs::write(&file, bytes).unwrap();
        assert_ignored_and_replaced(what, &server, &proxy).await;
    }
    large();
    assert_ignored_and_replaced("large", &server, &proxy).await;
    // The last member is the time of writing.
    let unlike = |entry: &str| entry.rsplit_once(',').unwrap().0.to_owned();
    assert_eq!(unlike(&fs::read_to_string(&file).unwrap()), unlike(&good));
}

async fn assert_ignored_and_replaced(
    what: &str,
    server: &upstream::Upstream,
    proxy: &impl Fn() -> proxy::Builder,
) {
    server.raw.stop().await;
    let mut client = proxy().start().await;
    assert_eq!(client.tool_names().await, [""; 0], "{what}");
    client.wait_for_stderr("the cached listing").await;
    let stderr = client.stderr();
    assert_eq!(
        stderr.matches("the cached listing").count(),
        1,
        "{what}: {stderr}"
    );
    drop(client);
    let again = upstream::legacy()
        .tool("tool")
        .start_at(server.raw.address());
    fill_cache(proxy()).await;
    again.raw.stop().await;
    let mut client = proxy().start().await;
    assert_eq!(client.tool_names().await, ["tool"], "{what}");
}

#[tokio::test]
async fn unreadable_cached_tool_does_not_affect_the_others() {
    let server = upstream::legacy().tool("a").tool("b").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    fill_cache(proxy()).await;
    let file = cache_files(&home).remove(0);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(r#""name":"a""#, r#""title":"a""#)).unwrap();
    server.raw.stop().await;
    assert_eq!(proxy().start().await.tool_names().await, ["b"]);
}

#[tokio::test]
async fn unchanged_cache_is_not_rewritten() {
    let server = with_all_kinds(upstream::legacy()).start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    fill_cache(proxy()).await;
    let file = cache_files(&home).remove(0);
    let before = SystemTime::now() - Duration::from_secs(3600);
    set_modified(&file, before);

    fill_cache(proxy()).await;
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(modified, before);
    server.set_offers("prompts", []);
    fill_cache(proxy()).await;
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    assert_ne!(modified, before);
}

#[tokio::test]
async fn disabled_cache_is_neither_written_nor_read() {
    let server = with_all_kinds(upstream::legacy()).start().await;
    let home = proxy::home();
    let proxy = |word: &str| {
        let proxy = proxy::new().home(&home).upstream("a", &server);
        let proxy = proxy.env("PROXY_STARTUP_WAIT", "100ms");
        proxy.env("PROXY_REMEMBER", word)
    };
    fill_cache(proxy("off")).await;
    assert!(!cache_folder(&home).exists());
    fill_cache(proxy("on")).await;
    let cached = fs::read(&cache_files(&home)[0]).unwrap();
    server.set_tools([]);
    fill_cache(proxy("off")).await;
    assert_eq!(fs::read(&cache_files(&home)[0]).unwrap(), cached);

    let _hanging = replace_with_hanging(&server).await;
    let mut client = proxy("off").start().await;
    let initialized = client.initialize().await;
    assert!(
        initialized["capabilities"]["logging"].is_object(),
        "{initialized}"
    );
    assert_eq!(client.tool_names().await, [""; 0]);
}

#[tokio::test]
async fn invalid_switch_is_reported_and_ignored() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.env("PROXY_REMEMBER", "of").start().await;
    client.tools().await;
    let message = "PROXY_REMEMBER: `of` is neither `on` nor `off`";
    client.wait_for_stderr(message).await;
    assert!(client.close().await.success());
    assert_eq!(cache_files(&home).len(), 1);
}

#[tokio::test]
async fn signing_out_removes_the_cache_of_that_server_only() {
    let (one, two) = (
        upstream::legacy().tool("one"),
        upstream::legacy().tool("two"),
    );
    let (one, two) = (one.start().await, two.start().await);
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("one", &one);
        proxy.upstream("two", &two)
    };
    fill_cache(proxy()).await;
    // As left by a process that was killed while it wrote.
    let half = cache_files(&home)[0].with_extension("new");
    fs::write(&half, "{").unwrap();
    let ended = proxy().arg("logout").arg("one").output().await;
    assert!(ended.status.success());
    assert!(!half.exists());
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(
        stderr.contains("its other stored data is deleted"),
        "{stderr}"
    );
    let left = cache_files(&home);
    assert_eq!(left.len(), 1);
    assert!(
        left[0]
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("two-")
    );
    let ended = proxy().arg("logout").arg("one").output().await;
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains("nothing is stored"), "{stderr}");
}

#[tokio::test]
async fn unwritable_cache_folder_does_not_affect_listings() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    fs::create_dir_all(home.path().join(".mcp-manifold")).unwrap();
    fs::write(cache_folder(&home), "a file in place of the folder").unwrap();
    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["tool"]);
    client.wait_for_stderr("cannot cache listings").await;
    assert!(client.close().await.success());
}

#[tokio::test]
async fn unwritable_cache_file_does_not_affect_the_others() {
    let servers = ["first", "second", "third"].map(|name| (name, upstream::legacy().tool(name)));
    let mut running = Vec::new();
    for (name, server) in servers {
        running.push((name, server.start().await));
    }
    let home = proxy::home();
    let proxy = || {
        let servers = running.iter();
        servers.fold(proxy::new().home(&home), |proxy, (name, server)| {
            proxy.upstream(name, server)
        })
    };
    fill_cache(proxy()).await;
    let written = cache_files(&home);
    for file in &written {
        fs::remove_file(file).unwrap();
    }
    // The first of the three to be written.
    fs::create_dir(&written[0]).unwrap();

    let mut client = proxy().start().await;
    client.initialize().await;
    for (name, _) in &running {
        client
            .wait_for_stderr(&format!("tools=1 name={name}"))
            .await;
    }
    assert!(client.close().await.success());
    let stderr = client.stderr();
    let warnings = stderr.lines().filter(|line| line.contains("cannot cache"));
    let warnings: Vec<_> = warnings.collect();
    assert_eq!(warnings.len(), 1, "{stderr}");
    assert!(
        warnings[0].contains("WARN") && warnings[0].contains("upstream=first"),
        "{stderr}"
    );

    for (_, server) in &running {
        server.raw.stop().await;
    }
    let mut client = proxy().env("PROXY_STARTUP_WAIT", "100ms").start().await;
    assert_eq!(client.tool_names().await, ["second", "third"]);
}
