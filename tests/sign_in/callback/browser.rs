//! What reaches the program that opens pages: this test starts itself again, with a fake one
//! on its `PATH`.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use mcp_manifold::config::Environment;
use mcp_manifold::oauth::Browser;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;

use testkit::within;

/// Says how many arguments it got and which, and makes a noise.
const OPENER: &str = "#!/bin/sh
{ echo \"$#\"; printf '%s\\n' \"$@\"; } > \"$OPENER_SAYS\"
echo noise; echo noise >&2
";

/// An address with all the marks that one may have.
const GOOD: &str = "https://auth.example.com/a;b=c/@d,e*!?state=x&calc=%26&scope=a+b#:~[]";

/// Addresses that a hostile server may want opened (CVE-2025-6514).
const HOSTILE: [&str; 34] = [
    "",
    " ",
    "-h",
    "--help",
    "/bin/sh",
    "calc.exe",
    "file:///etc/passwd",
    "file:c:/windows/system32/calc.exe",
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://example.com/",
    "ms-settings:display",
    "vscode://file/etc/passwd",
    "a:$(calc.exe)?response_type=code",
    "http:",
    "https://",
    "https://a.example/$(calc)",
    "https://a.example/`calc`",
    "https://a.example/\"&calc&\"",
    "https://a.example/'&calc&'",
    "https://a.example/ --new-window",
    " https://a.example/",
    "https://a.example/|calc",
    "https://a.example/<x>",
    "https://a.example/^x",
    "https://a.example/\\\\server\\share",
    "https://a.example/{x}",
    "https://a.example/\nhttps://b.example/",
    "https://a.example/\r\n",
    "https://a.example/\0",
    "https://a.example/\u{1b}[2J",
    "https://a.example/\u{7f}",
    "https://b\u{fc}cher.example/",
    "https://me:pw@a.example/",
];

/// Runs `role` of [`child_process`] and gives what its opener said, and itself.
async fn run(role: &str) -> (Vec<String>, Output) {
    let folder = tempfile::tempdir().unwrap();
    let opener = folder.path().join("xdg-open");
    fs::write(&opener, OPENER).unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let says = folder.path().join("says");
    assert!(
        Command::new("mkfifo")
            .arg(&says)
            .status()
            .unwrap()
            .success()
    );
    // Open for writing as well, so that it does not end when an opener does.
    let mut pipe = pipe::OpenOptions::new();
    let pipe = pipe.read_write(true).open_receiver(&says).unwrap();
    let mut child = another_process(role);
    child.env("PATH", folder.path()).env("OPENER_SAYS", &says);
    let output = within("the other process", child.output()).await.unwrap();
    let mut lines = BufReader::new(pipe).lines();
    let mut arguments = Vec::new();
    if output.status.success() {
        for _ in 0..2 {
            let line = within("what the opener says", lines.next_line()).await;
            arguments.push(line.unwrap().unwrap());
        }
    }
    (arguments, output)
}

fn another_process(role: &str) -> tokio::process::Command {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "callback::browser::child_process", "--nocapture"])
        .env("BROWSER_TEST_ROLE", role)
        .kill_on_drop(true);
    child
}

/// Not a test of its own: what the others start.
#[tokio::test]
async fn child_process() {
    let Ok(role) = std::env::var("BROWSER_TEST_ROLE") else {
        return;
    };
    let variables = [("DISPLAY".to_owned(), ":0".to_owned())];
    let browser = Browser::from_environment(&Environment::from_iter(variables));
    if role == "hostile" {
        for url in HOSTILE {
            let error = browser.open(url).await.unwrap_err();
            let text = error.to_string();
            assert!(
                url.len() < 5 || !text.contains(url),
                "{text} repeats {url:?}"
            );
        }
        let long = format!("https://a.example/{}", "a".repeat(10_000));
        browser.open(&long).await.unwrap_err();
    }
    let opened = browser.open(GOOD).await;
    if role == "helpless" {
        let error = opened.unwrap_err();
        assert_eq!(error.to_string(), "no program opened the page");
        return;
    }
    opened.unwrap();
}

#[tokio::test]
async fn url_that_no_program_opens_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = another_process("helpless");
    let output = within(
        "the other process",
        child.env("PATH", folder.path()).output(),
    )
    .await;
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn url_is_passed_as_one_argument() {
    let (arguments, output) = run("good").await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(arguments, ["1", GOOD]);
    // Its opener writes neither where our answers go nor where our logs go.
    let written = [output.stdout, output.stderr].concat();
    let written = String::from_utf8(written).unwrap();
    assert!(!written.contains("noise"), "{written}");
}

#[tokio::test]
async fn hostile_urls_never_reach_the_opener() {
    let (arguments, output) = run("hostile").await;
    assert!(output.status.success(), "{output:?}");
    // What was said first is about the good one: nothing was opened before.
    assert_eq!(arguments, ["1", GOOD]);
}
