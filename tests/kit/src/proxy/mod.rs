//! Launches the proxy's binary like a client, with an empty environment and its own home directory.

mod binary;
mod client;
mod messages;
mod output;
mod server_requests;

use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::Endpoint;
pub use client::Client;
pub use messages::{call_line, with_meta};

/// Variables that programs need on some systems, or that measure coverage.
const INHERITED: [&str; 4] = ["PATH", "SYSTEMROOT", "TMPDIR", "LLVM_PROFILE_FILE"];

/// Configures and launches the proxy.
pub struct Builder {
    upstreams: Vec<Map<String, Value>>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    launcher: Vec<String>,
    home: Arc<TempDir>,
}

/// Returns a proxy without upstreams.
pub fn new() -> Builder {
    Builder {
        upstreams: Vec::new(),
        environment: Vec::new(),
        arguments: Vec::new(),
        launcher: Vec::new(),
        home: home(),
    }
}

/// Returns a proxy whose only upstream refuses connections, for tests of the client's side.
pub fn disconnected() -> Builder {
    new().upstream("down", "http://127.0.0.1:1/mcp")
}

/// Starts a proxy with one upstream, `a`, and does the handshake of a legacy client.
pub async fn before(server: &(impl Endpoint + ?Sized)) -> Client {
    let mut client = new().upstream("a", server).start().await;
    client.initialize().await;
    client
}

/// Creates a home directory that several proxies can share.
pub fn home() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

impl Builder {
    /// Adds an upstream.
    #[must_use]
    pub fn upstream(mut self, name: &str, endpoint: &(impl Endpoint + ?Sized)) -> Self {
        let mut upstream = Map::new();
        upstream.insert("name".to_owned(), json!(name));
        upstream.insert("url".to_owned(), json!(endpoint.url()));
        if let Some(transport) = endpoint.transport() {
            upstream.insert("transport".to_owned(), json!(transport));
        }
        self.upstreams.push(upstream);
        self
    }

    /// Adds the members of `extra` to the upstream `name`, or replaces them.
    #[must_use]
    pub fn extra(mut self, name: &str, extra: Value) -> Self {
        let Value::Object(extra) = extra else {
            panic!("`extra` takes an object, not {extra}");
        };
        let upstream = self.upstreams.iter_mut().find(|u| u["name"] == name);
        upstream
            .unwrap_or_else(|| panic!("no upstream `{name}` yet"))
            .extend(extra);
        self
    }

    /// Sets an environment variable. `PROXY_UPSTREAMS` replaces the added upstreams.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a command-line argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Launches the proxy with this command, which runs its arguments.
    #[must_use]
    pub fn launched_by<S: Into<String>>(mut self, launcher: impl IntoIterator<Item = S>) -> Self {
        self.launcher = launcher.into_iter().map(Into::into).collect();
        self
    }

    /// Uses `home` (see [`home`]) instead of a new one.
    #[must_use]
    pub fn home(mut self, home: &Arc<TempDir>) -> Self {
        self.home = home.clone();
        self
    }

    /// Returns the names of the upstreams.
    pub fn names(&self) -> Vec<String> {
        let names = self.upstreams.iter().map(|upstream| &upstream["name"]);
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    /// Launches the proxy as a server on pipes.
    pub async fn start(self) -> Client {
        let mut command = self.command();
        command.stdin(Stdio::piped());
        Client::new(command.spawn().unwrap(), self.home)
    }

    /// Launches the proxy by a shell, which waits for it. [`Client::kill`] and [`Client::pid`] are for the
    /// shell; the test holds the pipes.
    #[cfg(unix)]
    pub async fn start_by_a_shell(self) -> Client {
        let command = self.command();
        let command = command.as_std();
        let mut shell = Command::new("/bin/sh");
        // A background job has no stdin unless it is set.
        shell
            .args([
                "-c",
                "exec 3<&0; \"$0\" \"$@\" <&3 3<&- & exec 3<&- <&-; wait",
            ])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in command.get_envs() {
            shell.envs(value.map(|value| (name, value)));
        }
        Client::new(shell.spawn().unwrap(), self.home)
    }

    /// Runs a command of the proxy to its end, with an empty stdin.
    pub async fn output(self) -> std::process::Output {
        let mut command = self.command();
        command.stdin(Stdio::null());
        super::within("the command to end", command.output())
            .await
            .unwrap()
    }

    /// Returns the command that launches the proxy, for a test that holds the pipes itself. The home
    /// directory exists as long as this builder.
    pub fn command(&self) -> Command {
        let proxy = binary::path();
        let launcher = self.launcher.iter().map(OsStr::new);
        let mut words = launcher.chain([proxy.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(proxy.as_os_str()));
        command
            .args(words)
            .args(&self.arguments)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|&name| {
                let value = std::env::var_os(name)?;
                Some((name, value))
            }))
            .env("HOME", self.home.path())
            .env("USERPROFILE", self.home.path())
            .current_dir(self.home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.env("PROXY_UPSTREAMS", json!(self.upstreams).to_string());
        command.envs(self.environment.iter().cloned());
        command
    }
}
