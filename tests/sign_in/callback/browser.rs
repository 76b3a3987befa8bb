//! URLs that reach the program that opens pages. The test runs itself as a child process with a
//! fake opener on its `PATH`.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use mcp_manifold::config::Environment;
use mcp_manifold::oauth::Browser;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;

use testkit::within;

/// Writes the number of its arguments and the arguments, then prints noise.
const OPENER: &str = "#!/bin/sh
{ echo \"$#\"; printf '%s\\n' \"$@\"; } > \"$OPENER_SAYS\"
echo noise; echo noise >&2
";

/// A URL with every punctuation character that is allowed.
const GOOD: &str = "https://auth.example.com/a;b=c/@d,e*!?state=x&calc=%26&scope=a+b#:~[]";

/// URLs that a hostile server may send (CVE-2025-6514).
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

/// Runs `role` of [`child_process`]. Returns the lines of its opener and its output.
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
    // Also open for writing, so that the pipe stays open when an opener exits.
    let mut pipe = pipe::OpenOptions::new();
    let pipe = pipe.read_write(true).open_receiver(&says).unwrap();
    let mut child = another_process(role);
    child.env("PATH", folder.path()).env("OPENER_SAYS", &says);
    let output = within("the child process", child.output()).await.unwrap();
    let mut lines = BufReader::new(pipe).lines();
    let mut arguments = Vec::new();
    if output.status.success() {
        for _ in 0..2 {
            let line = within("the lines of the opener", lines.next_line()).await;
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

/// The child process that other tests start. Passes without effect as a test.
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
        "the child process",
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
    // The opener's output reaches neither stdout nor stderr of the proxy.
    let written = [output.stdout, output.stderr].concat();
    let written = String::from_utf8(written).unwrap();
    assert!(!written.contains("noise"), "{written}");
}

#[tokio::test]
async fn hostile_urls_never_reach_the_opener() {
    let (arguments, output) = run("hostile").await;
    assert!(output.status.success(), "{output:?}");
    // The first URL that the opener received is the good one: no hostile URL was opened.
    assert_eq!(arguments, ["1", GOOD]);
}
