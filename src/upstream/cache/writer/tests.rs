//! When changes are saved, with a paused clock.

use bytes::Bytes;

use super::*;
use crate::config::{Config, Environment, Limits};
use crate::protocol::revision::MODERN;
use crate::protocol::{Era, ServerProfile, Tool};
use crate::upstream::flow::process_limits::ProcessLimits;
use crate::upstream::handle::Upstream;
use crate::upstream::offers::tools::ToolList;
use crate::upstream::registry::Registry;

fn upstream() -> Upstream {
    named("a")
}

fn named(name: &str) -> Upstream {
    let upstreams = format!(r#"[{{"name":"{name}","url":"https://a.example/"}}]"#);
    let environment = Environment::from_iter([("PROXY_UPSTREAMS".to_owned(), upstreams)]);
    let config = Config::from_environment(&environment).unwrap();
    let config = config.upstreams.into_iter().next().unwrap();
    let limits = ProcessLimits::new(Limits::default());
    Upstream::new(config, Arc::default(), None, limits, Arc::default())
}

/// Makes the upstream list one tool of this name.
fn lists(upstream: &Upstream, name: &str) {
    let profile = ServerProfile {
        era: Era::Modern,
        version: MODERN,
        instructions: None,
        capabilities: serde_json::Value::Null,
    };
    let definition = Bytes::from(format!(r#"{{"name":"{name}"}}"#));
    let tools = Tool::read(definition, Era::Modern).into_iter().collect();
    upstream
        .offers()
        .set_profile_and_tools(profile, ToolList { tools });
}

/// Returns the content of the cache file, if there is one.
fn file(home: &Path) -> Option<String> {
    let folder = home.join("listings").read_dir().ok()?;
    let mut paths = folder.map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some())?;
    std::fs::read_to_string(path).ok()
}

#[tokio::test(start_paused = true)]
async fn changes_are_saved_every_few_seconds_and_at_the_end() {
    let home = tempfile::tempdir().unwrap();
    let (upstream, cancel) = (upstream(), CancellationToken::new());
    let writer = CacheWriter::new(home.path(), Registry::new(vec![upstream.clone()]));
    let (sender, loaded) = oneshot::channel();
    let running = tokio::spawn(writer.run(sender, cancel.clone()));
    loaded.await.unwrap();

    let mut written = Vec::new();
    for second in 0..30 {
        lists(&upstream, &format!("tool{second}"));
        sleep(Duration::from_secs(1)).await;
        written.extend(file(home.path()));
        written.dedup();
    }
    assert!((4..=7).contains(&written.len()), "{}", written.len());
    lists(&upstream, "last");
    cancel.cancel();
    running.await.unwrap();
    let last = file(home.path()).unwrap();
    assert!(last.contains(r#""name":"last""#), "{last}");
}

#[tokio::test(start_paused = true)]
async fn next_process_loads_what_this_one_has_saved() {
    let home = tempfile::tempdir().unwrap();
    for run in 0..2 {
        let (upstream, cancel) = (upstream(), CancellationToken::new());
        let writer = CacheWriter::new(home.path(), Registry::new(vec![upstream.clone()]));
        let (sender, loaded) = oneshot::channel();
        let running = tokio::spawn(writer.run(sender, cancel.clone()));
        loaded.await.unwrap();
        let names = upstream.offers().tools().map(|list| list.tools.len());
        assert_eq!(names, (run > 0).then_some(1));
        assert_eq!(upstream.has_listing_or_failed(), run > 0);
        assert!(!upstream.has_live_listing_or_failed());
        lists(&upstream, "tool");
        cancel.cancel();
        running.await.unwrap();
    }
}

#[test]
fn failure_is_new_once_and_again_after_a_success() {
    let (a, b) = (upstream().config().name.clone(), None);
    let mut failed_writes = FailedWrites::default();
    assert!(failed_writes.record(Some(&a), true));
    assert!(!failed_writes.record(Some(&a), true));
    assert!(failed_writes.record(b, true), "another upstream's failure");
    assert!(!failed_writes.record(b, false));
    assert!(!failed_writes.record(Some(&a), true));
    assert!(!failed_writes.record(Some(&a), false));
    assert!(failed_writes.record(Some(&a), true));
}

#[tokio::test]
async fn only_a_failed_save_is_retried() {
    let home = tempfile::tempdir().unwrap();
    let (bad, good) = (named("bad"), named("good"));
    let registry = Registry::new(vec![bad.clone(), good.clone()]);
    let mut writer = CacheWriter::new(home.path(), registry);
    lists(&bad, "tool");
    writer.save().await;
    let folder = home.path().join("listings");
    let paths = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let path = paths.into_iter().find(|path| path.extension().is_some());
    let path = path.unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();

    lists(&bad, "other");
    lists(&good, "tool");
    writer.save().await;
    assert!(good.cached_upstream().take_unsaved().is_none());
    std::fs::remove_dir(&path).unwrap();
    writer.save().await;
    assert!(path.is_file());
    assert!(bad.cached_upstream().take_unsaved().is_none());
}

#[tokio::test]
async fn each_process_evicts_once() {
    let home = tempfile::tempdir().unwrap();
    let upstream = upstream();
    let mut writer = CacheWriter::new(home.path(), Registry::new(vec![upstream.clone()]));
    let old = home.path().join("listings/old.json");
    std::fs::create_dir(home.path().join("listings")).unwrap();
    for run in 0..2 {
        let file = std::fs::File::create(&old).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        lists(&upstream, &format!("tool{run}"));
        writer.save().await;
        assert_eq!(old.exists(), run > 0);
    }
}
