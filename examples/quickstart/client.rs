//! A client of the proxy: the official SDK's, over the pipes of a child process, as Claude Code
//! talks to a stdio server.

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

/// Settings that would lead the proxy elsewhere than to the three servers and a home of its own.
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

/// Gives the proxy these upstreams and this home, and nothing that would lead it elsewhere.
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

/// A connection to a proxy of its own.
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
        // Kept when nobody waits yet, so that a change between two listings is not missed.
        self.changed.notify_one();
    }
}

impl Client {
    /// Launches the proxy and goes through the handshake with it.
    pub(crate) async fn launch(proxy: &Path, home: &Path, upstreams: &str) -> Result<Self> {
        let mut command = Command::new(proxy);
        isolate(&mut command, home, upstreams);
        // Whoever asks for the log sees it as it comes; else it is kept for the case of a failure.
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
        let said = said(log).await;
        Err(error.context(format!(
            "the proxy does not start; it said `{}`",
            said.trim()
        )))
    }

    /// Lists the tools, and again when they change, until they are `wanted` and no others.
    pub(crate) async fn wait_for_tools(&self, wanted: &[&str]) -> Result<Vec<Tool>> {
        let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
        let mut tools = Vec::new();
        let found = timeout(STEP_TIMEOUT, async {
            loop {
                let changed = self.service.service().changed.notified();
                tools = self.service.list_all_tools().await?;
                let names = tools.iter().map(|tool| tool.name.as_ref());
                if names.collect::<BTreeSet<_>>() == wanted {
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
        bail!("the proxy offers {names:?} in place of {wanted:?}");
    }

    /// Calls a tool and gives the text it answers with.
    pub(crate) async fn call(&self, tool: &str, arguments: &Map<String, Value>) -> Result<String> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments.clone());
        let result = timeout(STEP_TIMEOUT, self.service.call_tool(params)).await;
        let result = result.with_context(|| format!("`{tool}` does not answer"))?;
        let result = result.with_context(|| format!("calling `{tool}`"))?;
        let texts = result.content.iter().filter_map(ContentBlock::as_text);
        let texts: Vec<_> = texts.map(|text| text.text.as_str()).collect();
        Ok(texts.join("\n"))
    }

    /// Closes the proxy's stdin and waits for its end.
    pub(crate) async fn close(mut self) -> Result<()> {
        let closed = timeout(STEP_TIMEOUT, self.service.close()).await;
        closed.context("the proxy does not end when its stdin closes")??;
        Ok(())
    }

    /// Ends the proxy in whatever state it is and gives what it said on stderr.
    pub(crate) async fn stop(mut self) -> String {
        // The reason why it is stopped is what the reader needs, not how it stopped.
        timeout(STEP_TIMEOUT, self.service.close()).await.ok();
        said(self.log.take()).await
    }
}

async fn read(mut stderr: ChildStderr) -> String {
    let mut log = Vec::new();
    stderr.read_to_end(&mut log).await.ok();
    String::from_utf8_lossy(&log).into_owned()
}

async fn said(log: Option<JoinHandle<String>>) -> String {
    match log {
        None => String::new(),
        Some(log) => match timeout(STEP_TIMEOUT, log).await {
            Ok(Ok(log)) => log,
            _ => String::new(),
        },
    }
}
