//! The cached listings in the output of `status`.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CommandOutput, cache_files};
use testkit::upstream::Upstream;
use testkit::{proxy, upstream, within};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The binary with one upstream `open`, without sign-in, and the arguments in `line`.
fn program(home: &Arc<TempDir>, server: &Upstream, line: &str) -> proxy::Builder {
    let program = proxy::new().home(home).upstream("open", server);
    line.split_whitespace().fold(program, proxy::Builder::arg)
}

/// Runs a proxy until it has cached the listing of the server.
async fn write_cache(home: &Arc<TempDir>, server: &Upstream) {
    let mut client = program(home, server, "").start().await;
    client.initialize().await;
    client.tools().await;
    let written = within("the cached listing", async {
        while cache_files(home).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    written.await;
    assert!(client.close().await.success());
}

/// The number of cached tools and the time of the cache, as `status --json` returns them.
async fn cache_status(program: proxy::Builder) -> (Value, Value) {
    let output = CommandOutput::new(program.output().await);
    assert_eq!(output.code, 0, "{}", output.stdout);
    let row = output.json()["upstreams"][0].take();
    assert_eq!(row["tools"], Value::Null, "the server was contacted");
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
    write_cache(&home, &server).await;
    let (tools, cached_at) = cache_status(offline()).await;
    assert_eq!(tools, 2);
    let cached_at = cached_at.as_u64().unwrap();
    assert!((before..=seconds()).contains(&cached_at), "{cached_at}");

    let file = cache_files(&home).remove(0);
    let text = fs::read_to_string(&file).unwrap();
    let long_ago = seconds() - 4 * DAY.as_secs() - 60;
    let text = text.replace(&cached_at.to_string(), &long_ago.to_string());
    fs::write(&file, &text).unwrap();
    let modified = SystemTime::now() - DAY * 50;
    let opened = fs::File::options().write(true).open(&file).unwrap();
    opened.set_modified(modified).unwrap();
    let shown = |output: &CommandOutput| {
        let line = output.stdout.lines().nth(1).unwrap().to_owned();
        assert!(line.contains("  2 tools, 4 d ago  http"), "{line}");
        line
    };
    let output = CommandOutput::new(program(&home, &server, "status").output().await);
    assert!(shown(&output).contains("(legacy), 2 tools  "));
    server.raw.stop().await;
    let output = CommandOutput::new(program(&home, &server, "status").output().await);
    assert!(
        output.stdout.contains("open: cannot connect"),
        "{}",
        output.stdout
    );
    shown(&output);
    // `status` does not count as a use of the cache entry.
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), modified);
}

#[tokio::test]
async fn unusable_cache_entry_is_not_shown() {
    let server = upstream::legacy().tool("a").start().await;
    let home = proxy::home();
    write_cache(&home, &server).await;
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
    fs::write(&cache_files(&home)[0], "{").unwrap();
    assert_eq!(cache_status(offline()).await, nothing);
}
