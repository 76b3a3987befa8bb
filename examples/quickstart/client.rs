//! A client of the proxy: the official SDK on the pipes of a child process.
//!
//! Claude Code uses a stdio server in the same way.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rmcp::model::{CallToolRequestParams, ContentBlock, Tool};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::STEP_TIMEOUT;

/// Variables that could give the proxy other servers or another home folder.
const NOT_INHERITED: [&str; 10] = [
    "MCP_MANIFOLD_HOME",
    "PROXY_URL",
    "PROXY_TRANSPORT",
    "PROXY_INCLUDE_TOOLS",
    "PROXY_IGNORE_TOOLS",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
];

/// Sets these upstreams and this home for the proxy, and removes all other settings.
pub(crate) fn isolate(command: &mut Command, home: &Path, upstreams: &str) {
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    command
        .env("PROXY_UPSTREAMS", upstreams)
        .env("HOME", home)
        .env("USERPROFILE", home)
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1");
}

/// A client with a proxy process.
pub(crate) struct Client {
    service: RunningService<RoleClient, Listener>,
    log: Option<JoinHandle<String>>,
}

/// Notices that the tools have changed.
#[derive(Clone, Default)]
struct Listener {
    changed: Arc<Notify>,
}

impl ClientHandler for Listener {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        // Stored until the next wait, so that a change between two listings is not missed.
        self.changed.notify_one();
    }
}

impl Client {
    /// Launches the proxy and does the handshake.
    pub(crate) async fn launch(proxy: &Path, home: &Path, upstreams: &str) -> Result<Self> {
        let mut command = Command::new(proxy);
        isolate(&mut command, home, upstreams);
        // With `DEBUG` the log is shown at once; otherwise it is shown only after a failure.
        let stderr = match std::env::var_os("DEBUG") {
            Some(_) => Stdio::inherit(),
            None => Stdio::piped(),
        };
        let child = TokioChildProcess::builder(command).stderr(stderr).spawn();
        let (child, stderr) = child.with_context(|| format!("running `{}`", proxy.display()))?;
        let log = stderr.map(|stderr| tokio::spawn(read(stderr)));
        let handshake = timeout(STEP_TIMEOUT, Listener::default().serve(child));
        let error = match handshake.await {
            Ok(Ok(service)) => {
                return Ok(Self { service, log });
            }
            Ok(Err(error)) => anyhow::Error::new(error),
            Err(error) => anyhow::Error::new(error),
        };
        let output = output(log).await;
        Err(error.context(format!(
            "the proxy does not start; its log is `{}`",
            output.trim()
        )))
    }

    /// Lists the tools, and again after each change, until they are exactly `expected`.
    pub(crate) async fn wait_for_tools(&self, expected: &[&str]) -> Result<Vec<Tool>> {
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        let mut tools = Vec::new();
        let found = timeout(STEP_TIMEOUT, async {
            loop {
                let changed = self.service.service().changed.notified();
                tools = self.service.list_all_tools().await?;
                let names = tools.iter().map(|tool| tool.name.as_ref());
                if names.collect::<BTreeSet<_>>() == expected {
                    return anyhow::Ok(());
                }
                changed.await;
            }
        });
        if let Ok(listed) = found.await {
            listed.context("listing the tools")?;
            return Ok(tools);
        }
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        bail!("the proxy lists {names:?} instead of {expected:?}");
    }

    /// Calls a tool and returns the text of the result.
    pub(crate) async fn call(&self, tool: &str, arguments: &Map<String, Value>) -> Result<String> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments.clone());
        let result = timeout(STEP_TIMEOUT, self.service.call_tool(params)).await;
        let result = result.with_context(|| format!("`{tool}` does not answer"))?;
        let result = result.with_context(|| format!("calling `{tool}`"))?;
        let texts = result.content.iter().filter_map(ContentBlock::as_text);
        let texts: Vec<_> = texts.map(|text| text.text.as_str()).collect();
        Ok(texts.join("\n"))
    }

    /// Closes the proxy's stdin and waits until the proxy exits.
    pub(crate) async fn close(mut self) -> Result<()> {
        let closed = timeout(STEP_TIMEOUT, self.service.close()).await;
        closed.context("the proxy does not end when its stdin closes")??;
        Ok(())
    }

    /// Stops the proxy in any state, and returns its output on stderr.
    pub(crate) async fn stop(mut self) -> String {
        // An error of stopping would hide the error that led here.
        timeout(STEP_TIMEOUT, self.service.close()).await.ok();
        output(self.log.take()).await
    }
}

async fn read(mut stderr: ChildStderr) -> String {
    let mut log = Vec::new();
    stderr.read_to_end(&mut log).await.ok();
    String::from_utf8_lossy(&log).into_owned()
}

async fn output(log: Option<JoinHandle<String>>) -> String {
    match log {
        None => String::new(),
        Some(log) => match timeout(STEP_TIMEOUT, log).await {
            Ok(Ok(log)) => log,
            _ => String::new(),
        },
    }
}
