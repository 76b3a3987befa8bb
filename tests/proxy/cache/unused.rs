//! What becomes of files that no configuration names any more, and of those that one still names.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::cache::{age, files, learn, listings};
use testkit::proxy;
use testkit::upstream;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn those_that_nobody_has_used_for_long_go_and_all_others_stay() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("mine", &server);
    learn(proxy()).await;
    let (folder, mine) = (listings(&home), files(&home).remove(0));
    let now = SystemTime::now();
    let cases = [
        ("gone-1.json", now - DAY * 91, false),
        ("gone-2.json", SystemTime::UNIX_EPOCH, false),
        ("half.new", now - DAY * 91, false),
        ("rests.json", now - DAY * 89, true),
        ("half-2.new", now - DAY, true),
        ("future.json", now + DAY * 4000, true),
        ("notes.txt", now - DAY * 91, true),
    ];
    for (name, modified, _) in cases {
        fs::write(folder.join(name), "{}").unwrap();
        age(&folder.join(name), modified);
    }
    fs::create_dir(folder.join("folder.json")).unwrap();
    for name in ["folder.json", "key", ".lock"] {
        age(&folder.join(name), now - DAY * 91);
    }
    age(&mine, now - DAY * 1000);

    learn(proxy()).await;
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
async fn a_start_notes_once_a_day_that_it_uses_a_file() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("mine", &server);
    learn(proxy()).await;
    let mine = files(&home).remove(0);
    let text = fs::read(&mine).unwrap();
    // It is used also where its server is never heard.
    server.raw.stop().await;
    let now = SystemTime::now();
    let cases = [
        (now - DAY * 80, true),
        (now - DAY * 2, true),
        (now - DAY / 2, false),
        (now + DAY * 2, false),
    ];
    for (before, is_noted) in cases {
        age(&mine, before);
        let mut client = proxy().start().await;
        assert_eq!(client.tool_names().await, ["tool"]);
        assert!(client.close().await.success());
        let after = fs::metadata(&mine).unwrap().modified().unwrap();
        match is_noted {
            true => assert!(after >= now - DAY / 24, "{after:?}"),
            false => assert_eq!(after, before),
        }
        assert_eq!(fs::read(&mine).unwrap(), text);
    }
}
