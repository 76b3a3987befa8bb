//! What `status` says of what is remembered.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Ended, listings};
use testkit::upstream::Upstream;
use testkit::{proxy, upstream, within};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The program with one open upstream, `open`, and a command line.
fn program(home: &Arc<TempDir>, server: &Upstream, line: &str) -> proxy::Builder {
    let program = proxy::new().home(home).upstream("open", server);
    line.split_whitespace().fold(program, proxy::Builder::arg)
}

/// Has a proxy remember what the server offers.
async fn learn(home: &Arc<TempDir>, server: &Upstream) {
    let mut client = program(home, server, "").start().await;
    client.initialize().await;
    client.tools().await;
    let written = within("the file", async {
        while listings(home).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    written.await;
    assert!(client.close().await.success());
}

/// How many tools are remembered, and since when, by `status --json`.
async fn cache_status(program: proxy::Builder) -> (Value, Value) {
    let ended = Ended::new(program.output().await);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    let row = ended.json()["upstreams"][0].take();
    assert_eq!(row["tools"], Value::Null, "nobody was asked");
    (row["rememberedTools"].clone(), row["rememberedAt"].clone())
}

#[tokio::test]
async fn cached_listing_is_shown_with_age_even_if_server_is_down() {
    let server = upstream::legacy().tool("a").tool("b").start().await;
    let home = proxy::home();
    let offline = || program(&home, &server, "status --offline --json");
    let nothing = (Value::Null, Value::Null);
    assert_eq!(cache_status(offline()).await, nothing);
    let seconds = || UNIX_EPOCH.elapsed().unwrap().as_secs();
    let before = seconds();
    learn(&home, &server).await;
    let (tools, since) = cache_status(offline()).await;
    assert_eq!(tools, 2);
    let since = since.as_u64().unwrap();
    assert!((before..=seconds()).contains(&since), "{since}");

    let file = listings(&home).remove(0);
    let text = fs::read_to_string(&file).unwrap();
    let long_ago = seconds() - 4 * DAY.as_secs() - 60;
    let text = text.replace(&since.to_string(), &long_ago.to_string());
    fs::write(&file, &text).unwrap();
    let modified = SystemTime::now() - DAY * 50;
    let opened = fs::File::options().write(true).open(&file).unwrap();
    opened.set_modified(modified).unwrap();
    let shown = |ended: &Ended| {
        let line = ended.stdout.lines().nth(1).unwrap().to_owned();
        assert!(line.contains("  2 tools, 4 d ago  http"), "{line}");
        line
    };
    let ended = Ended::new(program(&home, &server, "status").output().await);
    assert!(shown(&ended).contains("(legacy), 2 tools  "));
    server.raw.stop().await;
    let ended = Ended::new(program(&home, &server, "status").output().await);
    assert!(
        ended.stdout.contains("open: cannot connect"),
        "{}",
        ended.stdout
    );
    shown(&ended);
    // Looking is no use of it.
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), modified);
}

#[tokio::test]
async fn unusable_cache_entry_is_not_shown() {
    let server = upstream::legacy().tool("a").start().await;
    let home = proxy::home();
    learn(&home, &server).await;
    let offline = || program(&home, &server, "status --offline --json");
    let nothing = (Value::Null, Value::Null);
    assert_ne!(cache_status(offline()).await, nothing);
    assert_eq!(
        cache_status(offline().env("PROXY_REMEMBER", "off")).await,
        nothing
    );
    let other = json!({"headers": {"x-key": "1"}});
    assert_eq!(cache_status(offline().extra("open", other)).await, nothing);
    let filtered = json!({"ignore_tools": ["*"]});
    assert_eq!(cache_status(offline().extra("open", filtered)).await.0, 1);
    fs::write(&listings(&home)[0], "{").unwrap();
    assert_eq!(cache_status(offline()).await, nothing);
}
