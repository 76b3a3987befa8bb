//! Eviction of unused cache files, and how use is recorded.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::cache::{cache_files, cache_folder, fill_cache, set_modified};
use testkit::proxy;
use testkit::upstream;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn only_files_unused_for_90_days_are_evicted() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("mine", &server);
    fill_cache(proxy()).await;
    let (folder, mine) = (cache_folder(&home), cache_files(&home).remove(0));
    let now = SystemTime::now();
    let cases = [
        ("unused-1.json", now - DAY * 91, false),
        ("unused-2.json", SystemTime::UNIX_EPOCH, false),
        ("half.new", now - DAY * 91, false),
        ("rests.json", now - DAY * 89, true),
        ("half-2.new", now - DAY, true),
        ("future.json", now + DAY * 4000, true),
        ("notes.txt", now - DAY * 91, true),
    ];
    for (name, modified, _) in cases {
        fs::write(folder.join(name), "{}").unwrap();
        set_modified(&folder.join(name), modified);
    }
    fs::create_dir(folder.join("folder.json")).unwrap();
    for name in ["folder.json", "key", ".lock"] {
        set_modified(&folder.join(name), now - DAY * 91);
    }
    set_modified(&mine, now - DAY * 1000);

    fill_cache(proxy()).await;
    for (name, _, stays) in cases {
        assert_eq!(folder.join(name).exists(), stays, "{name}");
    }
    for name in ["folder.json", "key", ".lock"] {
        assert!(folder.join(name).exists(), "{name}");
    }
    server.raw.stop().await;
    assert_eq!(proxy().start().await.tool_names().await, ["tool"]);
}

#[tokio::test]
async fn start_updates_the_modification_time_once_a_day() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("mine", &server);
    fill_cache(proxy()).await;
    let mine = cache_files(&home).remove(0);
    let text = fs::read(&mine).unwrap();
    // A start uses the file even if its server is unavailable.
    server.raw.stop().await;
    let now = SystemTime::now();
    let cases = [
        (now - DAY * 80, true),
        (now - DAY * 2, true),
        (now - DAY / 2, false),
        (now + DAY * 2, false),
    ];
    for (before, is_updated) in cases {
        set_modified(&mine, before);
        let mut client = proxy().start().await;
        assert_eq!(client.tool_names().await, ["tool"]);
        assert!(client.close().await.success());
        let after = fs::metadata(&mine).unwrap().modified().unwrap();
        match is_updated {
            true => assert!(after >= now - DAY / 24, "{after:?}"),
            false => assert_eq!(after, before),
        }
        assert_eq!(fs::read(&mine).unwrap(), text);
    }
}
