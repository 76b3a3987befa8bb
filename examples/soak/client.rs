//! A client on the proxy's pipes that records all responses in the ledger.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use crate::calls::{Answer, CallLedger};
use crate::{process, servers};

/// How long the proxy may take for a request that needs no upstream.
const STEP: Duration = Duration::from_secs(30);

/// A running proxy, killed on drop.
pub(crate) struct Client {
    child: Mutex<Child>,
    pid: u32,
    stdin: Mutex<Option<ChildStdin>>,
    read: Arc<Read>,
    _home: TempDir,
}

/// The lines read from the proxy.
pub(crate) struct Read {
    ledger: Arc<CallLedger>,
    /// The number of finished calls; changes with every line.
    lines: watch::Sender<u64>,
    /// The last response to a request other than a call.
    other: watch::Sender<Value>,
    stderr: AtomicU64,
    /// Lines that are not messages, or responses without a request.
    pub(crate) strange: AtomicUsize,
}

impl Client {
    pub(crate) async fn launch(
        proxy: &Path,
        sites: &[Arc<servers::Site>],
        ledger: &Arc<CallLedger>,
    ) -> Result<Self> {
        let home = TempDir::new().context("making a home directory for the proxy")?;
        let mut command = process::command(proxy, home.path(), sites);
        let piped = std::process::Stdio::piped;
        command.stdin(piped()).stdout(piped()).stderr(piped());
        let mut child = command.spawn().context("launching the proxy")?;
        let read = Arc::new(Read {
            ledger: ledger.clone(),
            lines: watch::Sender::new(0),
            other: watch::Sender::new(Value::Null),
            stderr: AtomicU64::new(0),
            strange: AtomicUsize::new(0),
        });
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        tokio::spawn(read.clone().stdout(stdout.context("no stdout")?));
        tokio::spawn(read.clone().stderr(stderr.context("no stderr")?));
        Ok(Self {
            pid: child.id().context("the proxy has ended")?,
            child: Mutex::new(child),
            stdin: Mutex::new(stdin),
            read,
            _home: home,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn ledger(&self) -> &CallLedger {
        &self.read.ledger
    }

    pub(crate) fn strange(&self) -> usize {
        self.read.strange.load(Ordering::Relaxed)
    }

    pub(crate) fn stderr_bytes(&self) -> u64 {
        self.read.stderr.load(Ordering::Relaxed)
    }

    /// Does the handshake, and lists until there are `tools` tools.
    pub(crate) async fn handshake(&self, tools: usize) -> Result<()> {
        let info = json!({"name": "soak", "version": "1"});
        let params =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
        self.ask("initialize", params).await?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await?;
        for _ in 0..100 {
            let listed = self.ask("tools/list", json!({})).await?;
            if listed["result"]["tools"].as_array().map(Vec::len) == Some(tools) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the proxy does not list all tools")
    }

    /// Sends a request other than a call.
    async fn ask(&self, method: &str, params: Value) -> Result<Value> {
        let mut other = self.read.other.subscribe();
        other.mark_unchanged();
        self.send(&json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params}))
            .await?;
        let answered = async {
            other
                .wait_for(|answer| answer["id"] == method)
                .await
                .map(|answer| answer.clone())
        };
        let answer = timeout(STEP, answered).await;
        let answer = answer.with_context(|| format!("`{method}` is not answered"))??;
        self.read.other.send_replace(Value::Null);
        Ok(answer)
    }

    /// Writes a message.
    pub(crate) async fn send(&self, message: &Value) -> Result<()> {
        let mut stdin = self.stdin.lock().await;
        let stdin = stdin.as_mut().context("stdin is closed")?;
        let line = format!("{message}\n");
        let written = timeout(STEP, stdin.write_all(line.as_bytes()));
        written
            .await
            .context("the proxy reads no further")?
            .context("writing to the proxy")
    }

    /// Waits until `until` returns `true`; it is checked after each line of the proxy.
    async fn wait(&self, mut until: impl FnMut(&CallLedger) -> bool) {
        let mut lines = self.read.lines.subscribe();
        // Never fails: `self` holds the sender.
        lines.wait_for(|_| until(&self.read.ledger)).await.ok();
    }

    /// Waits until each call that was not cancelled has a response. Returns how many have none.
    pub(crate) async fn drained(&self, limit: Duration) -> usize {
        let open = |ledger: &CallLedger| {
            let mut open = 0;
            ledger.for_each(|_, call| {
                open += usize::from(!call.cancelled && call.answers.is_empty());
            });
            open
        };
        let drained = self.wait(|ledger| open(ledger) == 0);
        // After a timeout, the rest is counted.
        timeout(limit, drained).await.ok();
        open(self.ledger())
    }

    /// Closes stdin and waits until the process exits.
    pub(crate) async fn close(&self) -> Result<ExitStatus> {
        self.stdin.lock().await.take();
        let mut child = self.child.lock().await;
        let ended = timeout(STEP, child.wait()).await;
        ended
            .context("the proxy does not end")?
            .context("waiting for the proxy")
    }
}

impl Read {
    async fn stdout(self: Arc<Self>, stdout: ChildStdout) {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(message) => self.take(message),
                Err(_) => self.is_strange(),
            }
            self.lines.send_modify(|lines| *lines += 1);
        }
    }

    async fn stderr(self: Arc<Self>, mut stderr: ChildStderr) {
        let mut bytes = [0; 8192];
        let mut shown = tokio::io::stderr();
        while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
            self.stderr.fetch_add(count as u64, Ordering::Relaxed);
            if std::env::var_os("RUST_LOG").is_some() {
                shown.write_all(&bytes[..count]).await.ok();
            }
        }
    }

    fn is_strange(&self) {
        self.strange.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self, mut message: Value) {
        if message["method"] == "notifications/progress" {
            match message["params"]["progressToken"].as_u64() {
                Some(number) => self.ledger.change(number, |call| match call.answers.len() {
                    0 => call.progress += 1,
                    _ => call.stray_progress += 1,
                }),
                None => self.is_strange(),
            }
        } else if let Some(number) = message["id"].as_u64() {
            let answer = answer(number, &message);
            self.ledger.record_answer(number, answer);
        } else if message["id"].is_string() {
            self.other.send_replace(message.take());
        } else if message["method"].is_null() {
            self.is_strange();
        }
    }
}

fn answer(number: u64, message: &Value) -> Answer {
    let error = &message["error"];
    let Some(code) = error["code"].as_i64() else {
        let text = message["result"]["content"][0]["text"].as_str();
        return match text == Some(&servers::text(number)) {
            true => Answer::Result,
            false => Answer::ResultOfOtherCall,
        };
    };
    match error["data"]["outcome"].as_str() {
        Some(outcome) => Answer::Error(code, outcome.to_owned()),
        None => Answer::UpstreamError(code),
    }
}
