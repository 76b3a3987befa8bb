//! The commands `login`, `logout` and `status`, as a user runs them.

mod cached;
mod device;
mod login;
mod logout;
mod paste;
mod selection;
mod status;
mod usage;

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use testkit::oauth::{self, Browser, Protected, Server, protect};
use testkit::proxy::{self, Client};
use testkit::upstream;

/// The prompt of `login` before it reads a pasted address.
const PASTE_PROMPT: &str = "paste the address of that page here and press Enter.";

/// An upstream `linear` with two tools, its authorization server, and a home directory.
struct Setup {
    server: Server,
    upstream: Protected,
    home: Arc<TempDir>,
}

async fn setup(server: oauth::Builder) -> Setup {
    let server = server.start().await;
    let upstream = upstream::modern().tool("search").tool("write");
    Setup {
        upstream: protect(&server, upstream).start().await,
        home: proxy::home(),
        server,
    }
}

impl Setup {
    /// The binary with `linear` configured and the arguments in `line`.
    fn command(&self, line: &str) -> proxy::Builder {
        let program = proxy::new().home(&self.home);
        let program = program.upstream("linear", &self.upstream);
        line.split_whitespace().fold(program, proxy::Builder::arg)
    }

    /// Runs a command to its end, with an empty stdin.
    async fn run(&self, line: &str) -> CommandOutput {
        let output = CommandOutput::new(self.command(line).output().await);
        self.assert_no_secret(&output.stderr);
        self.assert_no_secret(&output.stdout);
        output
    }

    /// Begins a login without a browser, and returns the URL of the sign-in page.
    async fn begin_login(&self, line: &str) -> (Client, String) {
        let client = self.command(line).start().await;
        client.wait_for_stderr(PASTE_PROMPT).await;
        let url = find_line(&client, "http");
        (client, url)
    }

    /// Waits until a login has succeeded.
    async fn wait_until_signed_in(&self, client: &mut Client) {
        let status = client.wait().await;
        let stderr = client.stderr();
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(
            stderr.ends_with("signed in to `linear`; 2 tools\n"),
            "{stderr}"
        );
        assert!(client.received().is_empty(), "{:?}", client.received());
        self.assert_no_secret(&stderr);
    }

    /// Signs in, for tests of what follows.
    async fn sign_in(&self) {
        let (mut client, url) = self.begin_login("login linear --no-browser").await;
        assert_eq!(Browser::consenting().open(&url).await.status, 200);
        self.wait_until_signed_in(&mut client).await;
    }

    fn assert_no_secret(&self, text: &str) {
        for secret in self.server.secrets() {
            assert!(!text.contains(&secret), "`{secret}` in {text}");
        }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join(".mcp-manifold/oauth/linear")
    }

    /// The names of the stored files, without locks.
    fn stored_files(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.folder()) else {
            return Vec::new();
        };
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.ends_with(".lock")).collect();
        names.sort();
        names
    }
}

/// The cached listings in this home directory.
fn cache_files(home: &Arc<TempDir>) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(home.path().join(".mcp-manifold/listings")) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "json"));
    paths
}

/// The exit code and the output of a command.
struct CommandOutput {
    code: i32,
    stdout: String,
    stderr: String,
}

impl CommandOutput {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Panics unless the command exited with `code` and stderr contains `part`.
    #[track_caller]
    fn assert(&self, code: i32, part: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(self.stderr.contains(part), "no `{part}` in {}", self.stderr);
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// The line of stderr that begins with `start`. Panics if it contains a space.
fn find_line(client: &Client, start: &str) -> String {
    let stderr = client.stderr();
    let mut lines = stderr.lines().filter(|line| line.starts_with(start));
    let line = lines.next().unwrap_or_else(|| panic!("{stderr}"));
    assert!(!line.contains(' '), "{line}");
    line.to_owned()
}
