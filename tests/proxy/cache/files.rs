//! The files: whose they are, what is done about those that cannot be used, and who leaves them alone.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::cache::{age, files, full, hang, learn, listings};
use testkit::proxy;
use testkit::upstream;

#[cfg(unix)]
#[tokio::test]
async fn they_are_for_our_user_alone() {
    use std::os::unix::fs::PermissionsExt;

    let server = full(upstream::legacy()).start().await;
    let home = proxy::home();
    learn(proxy::new().home(&home).upstream("a", &server)).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&listings(&home)), 0o700);
    assert_eq!(mode(listings(&home).parent().unwrap()), 0o700);
    let mut seen = 0;
    for entry in listings(&home).read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 2, "{seen}");
}

#[tokio::test]
async fn one_that_cannot_be_used_is_as_none_and_is_replaced() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("a", &server);
        proxy.env("PROXY_STARTUP_WAIT", "100ms").env("DEBUG", "1")
    };
    learn(proxy()).await;
    let file = files(&home).remove(0);
    let good = fs::read_to_string(&file).unwrap();
    let changed = |key: &str, value: Value| {
        let mut record: Value = serde_json::from_str(&good).unwrap();
        record[key] = value;
        record.to_string().into_bytes()
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
        assert_unused_and_replaced(what, &server, &proxy).await;
    }
    large();
    assert_unused_and_replaced("large", &server, &proxy).await;
    let unlike = |record: &str| record.rsplit_once(',').unwrap().0.to_owned();
    assert_eq!(unlike(&fs::read_to_string(&file).unwrap()), unlike(&good));
}

async fn assert_unused_and_replaced(
    what: &str,
    server: &upstream::Upstream,
    proxy: &impl Fn() -> proxy::Builder,
) {
    server.raw.stop().await;
    let mut client = proxy().start().await;
    assert_eq!(client.tool_names().await, [""; 0], "{what}");
    client.wait_for_stderr("what was remembered").await;
    let said = client.stderr();
    assert_eq!(
        said.matches("what was remembered").count(),
        1,
        "{what}: {said}"
    );
    drop(client);
    let again = upstream::legacy()
        .tool("tool")
        .start_at(server.raw.address());
    learn(proxy()).await;
    again.raw.stop().await;
    let mut client = proxy().start().await;
    assert_eq!(client.tool_names().await, ["tool"], "{what}");
}

#[tokio::test]
async fn a_tool_that_cannot_be_read_costs_itself_alone() {
    let server = upstream::legacy().tool("a").tool("b").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    learn(proxy()).await;
    let file = files(&home).remove(0);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(r#""name":"a""#, r#""title":"a""#)).unwrap();
    server.raw.stop().await;
    assert_eq!(proxy().start().await.tool_names().await, ["b"]);
}

#[tokio::test]
async fn what_is_there_already_is_not_written_again() {
    let server = full(upstream::legacy()).start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    learn(proxy()).await;
    let file = files(&home).remove(0);
    let before = SystemTime::now() - Duration::from_secs(3600);
    age(&file, before);

    learn(proxy()).await;
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(modified, before);
    server.set_offers("prompts", []);
    learn(proxy()).await;
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    assert_ne!(modified, before);
}

#[tokio::test]
async fn switched_off_nothing_is_kept_and_nothing_used() {
    let server = full(upstream::legacy()).start().await;
    let home = proxy::home();
    let proxy = |word: &str| {
        let proxy = proxy::new().home(&home).upstream("a", &server);
        let proxy = proxy.env("PROXY_STARTUP_WAIT", "100ms");
        proxy.env("PROXY_REMEMBER", word)
    };
    learn(proxy("off")).await;
    assert!(!listings(&home).exists());
    learn(proxy("on")).await;
    let kept = fs::read(&files(&home)[0]).unwrap();
    server.set_tools([]);
    learn(proxy("off")).await;
    assert_eq!(fs::read(&files(&home)[0]).unwrap(), kept);

    let hole = hang(&server).await;
    let mut client = proxy("off").start().await;
    let said = client.initialize().await;
    assert!(said["capabilities"]["logging"].is_object(), "{said}");
    assert_eq!(client.tool_names().await, [""; 0]);
    drop(hole);
}

#[tokio::test]
async fn a_word_that_is_no_switch_is_told_and_changes_nothing() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.env("PROXY_REMEMBER", "of").start().await;
    client.tools().await;
    let says = "PROXY_REMEMBER: `of` is neither `on` nor `off`";
    client.wait_for_stderr(says).await;
    assert!(client.close().await.success());
    assert_eq!(files(&home).len(), 1);
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
    learn(proxy()).await;
    // As if a process had been killed in the middle of it.
    let half = files(&home)[0].with_extension("new");
    fs::write(&half, "{").unwrap();
    let ended = proxy().arg("logout").arg("one").output().await;
    assert!(ended.status.success());
    assert!(!half.exists());
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("what else was stored is deleted"), "{said}");
    let left = files(&home);
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
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("nothing is stored"), "{said}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_nothing_else() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    fs::create_dir_all(home.path().join(".mcp-manifold")).unwrap();
    fs::write(listings(&home), "a file in its place").unwrap();
    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["tool"]);
    client
        .wait_for_stderr("cannot remember what servers offer")
        .await;
    assert!(client.close().await.success());
}

#[tokio::test]
async fn one_that_cannot_be_written_costs_no_other() {
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
    learn(proxy()).await;
    let written = files(&home);
    for file in &written {
        fs::remove_file(file).unwrap();
    }
    // Of the three, the one that is tried first.
    fs::create_dir(&written[0]).unwrap();

    let mut client = proxy().start().await;
    client.initialize().await;
    for (name, _) in &running {
        client
            .wait_for_stderr(&format!("tools=1 name={name}"))
            .await;
    }
    assert!(client.close().await.success());
    let said = client.stderr();
    let told = said.lines().filter(|line| line.contains("cannot remember"));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "{said}");
    assert!(
        told[0].contains("WARN") && told[0].contains("upstream=first"),
        "{said}"
    );

    for (_, server) in &running {
        server.raw.stop().await;
    }
    let mut client = proxy().env("PROXY_STARTUP_WAIT", "100ms").start().await;
    assert_eq!(client.tool_names().await, ["second", "third"]);
}
