//! A client of the proxy that reads and writes bytes.
//!
//! Received lines are kept in order. Each line is *taken* once, by the first call that waits for it. A
//! line that was not taken stays available.

use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::process::Child;

use super::output::{Envelope, Output, lines, text};
use crate::json::request_line;
use crate::{GUARD, within};

/// A running proxy with its pipes, killed on drop. Or one client of a proxy in the test's own process, at
/// the other end of two streams.
pub struct Client {
    child: Option<Child>,
    stdin: Option<Box<dyn AsyncWrite + Send + Sync + Unpin>>,
    stdout: Output<Vec<Vec<u8>>>,
    stderr: Output<Vec<u8>>,
    /// All lines below this index are taken, and those in the set.
    taken_below: usize,
    taken: BTreeSet<usize>,
    pub(super) next_id: u64,
    /// Whether the requests that the client builds have the metadata of the modern era.
    pub(super) modern: bool,
    /// The capabilities that these requests and `initialize` declare.
    pub(super) capabilities: serde_json::Value,
    _home: Option<Arc<TempDir>>,
}

impl Client {
    pub(super) fn new(mut child: Child, home: Arc<TempDir>) -> Self {
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            stderr: text(child.stderr.take().unwrap()),
            child: Some(child),
            _home: Some(home),
            ..Self::over(stdout, stdin)
        }
    }

    /// Creates a client without a process, which reads lines from `from_proxy` and writes to `to_proxy`.
    pub fn over(
        from_proxy: impl AsyncRead + Send + Unpin + 'static,
        to_proxy: impl AsyncWrite + Send + Sync + Unpin + 'static,
    ) -> Self {
        Self {
            child: None,
            stdin: Some(Box::new(to_proxy)),
            stdout: lines(from_proxy),
            stderr: text(tokio::io::empty()),
            taken_below: 0,
            taken: BTreeSet::new(),
            next_id: 1,
            modern: true,
            capabilities: serde_json::json!({}),
            _home: None,
        }
    }

    /// Writes `line` and a line feed.
    pub async fn send_line(&mut self, line: impl AsRef<[u8]>) {
        let line = [line.as_ref(), b"\n"].concat();
        self.send_bytes(&line).await;
    }

    /// Writes `bytes` as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is closed");
        within("the proxy to read", stdin.write_all(bytes))
            .await
            .unwrap_or_else(|error| panic!("{error}; stderr:\n{}", stderr_of(&self.stderr)));
        stdin.flush().await.unwrap();
    }

    /// Takes the next line.
    pub async fn next_line(&mut self) -> Vec<u8> {
        self.take("a line", |_| true).await
    }

    /// Sends a request in bytes, and takes the response to its id, in bytes.
    pub async fn exchange(&mut self, line: impl AsRef<[u8]>, id: &str) -> Vec<u8> {
        self.send_line(line).await;
        self.answer_to(id).await
    }

    /// Sends a request whose id is its method, and returns the line of its response.
    pub async fn exchange_request(&mut self, method: &str, params: &str) -> String {
        let id = format!("{method:?}");
        let response = self.exchange(request_line(&id, method, params), &id).await;
        String::from_utf8(response).unwrap()
    }

    /// Takes the response to the id with these bytes.
    pub async fn answer_to(&mut self, id: &str) -> Vec<u8> {
        let what = format!("an answer to {id}");
        self.take(&what, |line| Envelope::of(line).answers(id.as_bytes()))
            .await
    }

    /// Returns all lines so far, taken or not.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.stdout.look(Clone::clone)
    }

    /// Panics unless each line so far is a JSON-RPC message.
    pub fn assert_every_line_is_json_rpc(&self) {
        for line in self.received() {
            let message = std::str::from_utf8(&line).map(|text| text.contains(r#""jsonrpc""#));
            let object = serde_json::from_slice::<serde::de::IgnoredAny>(&line);
            assert!(
                object.is_ok() && message == Ok(true) && line.first() == Some(&b'{'),
                "not a message: {}",
                String::from_utf8_lossy(&line)
            );
        }
    }

    /// Takes the first line that `is_expected` accepts, including past ones. `what` is for the panic.
    pub(super) async fn take(
        &mut self,
        what: &str,
        is_expected: impl Fn(&[u8]) -> bool,
    ) -> Vec<u8> {
        let (stdout, taken) = (&self.stdout, &self.taken);
        let mut from = self.taken_below;
        let found = stdout.wait(|lines| {
            let news = (from..lines.len())
                .find(|index| !taken.contains(index) && is_expected(&lines[*index]));
            from = lines.len();
            news.map(|index| (index, lines[index].clone()))
        });
        let complaint = match tokio::time::timeout(GUARD, found).await {
            Ok(Some((index, line))) => {
                self.mark_taken(index);
                return line;
            }
            Ok(None) => "stdout ended",
            Err(_) => "time ran out",
        };
        panic!("{complaint} waiting for {what}; stderr:\n{}", self.stderr());
    }

    /// Takes all lines so far that `is_expected` accepts and that were not taken.
    pub(super) fn take_all(&mut self, is_expected: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let lines = self.received().into_iter().enumerate();
        let left = lines.skip(self.taken_below);
        let left = left.filter(|(index, line)| !self.taken.contains(index) && is_expected(line));
        let (indexes, lines): (Vec<_>, Vec<_>) = left.unzip();
        for index in indexes {
            self.mark_taken(index);
        }
        lines
    }

    fn mark_taken(&mut self, index: usize) {
        self.taken.insert(index);
        while self.taken.remove(&self.taken_below) {
            self.taken_below += 1;
        }
    }

    // The process.

    /// Returns the text on stderr so far.
    pub fn stderr(&self) -> String {
        stderr_of(&self.stderr)
    }

    /// Waits until stderr contains `part`.
    pub async fn wait_for_stderr(&self, part: &str) {
        let found = self.stderr.wait(|bytes| {
            let found = String::from_utf8_lossy(bytes).contains(part);
            found.then_some(())
        });
        let found = within(&format!("`{part}` on stderr"), found).await;
        assert!(found.is_some(), "no `{part}` in:\n{}", self.stderr());
    }

    /// Waits until `look` finds something in stderr. `what` is for the panic.
    pub async fn find_in_stderr<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let found = self
            .stderr
            .wait(|bytes| look(&String::from_utf8_lossy(bytes)));
        match tokio::time::timeout(GUARD, found).await {
            Ok(Some(found)) => found,
            _ => panic!("no {what} in:\n{}", self.stderr()),
        }
    }

    /// Waits for the `nth` sign-in page (from 0) of an upstream on stderr.
    pub async fn sign_in_page(&self, upstream: &str, nth: usize) -> String {
        let span = format!("name={upstream}");
        let what = format!("page {nth} to sign in to `{upstream}`");
        self.find_in_stderr(&what, |stderr| {
            let mut pages: Vec<String> = Vec::new();
            // The last line may be incomplete.
            let lines = stderr.split_inclusive('\n').filter(|l| l.ends_with('\n'));
            for line in lines.filter(|line| line.split_whitespace().any(|word| word == span)) {
                let asks = line.split_once("the server needs you to sign in");
                let page = asks.and_then(|(_, rest)| {
                    let start = rest.find("http")?;
                    rest[start..].split([' ', ')', '\n']).next()
                });
                pages.extend(page.map(str::to_owned));
                pages.dedup();
            }
            pages.into_iter().nth(nth)
        })
        .await
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child().id().expect("the proxy has exited")
    }

    /// Waits for the end of the output of the proxy.
    pub async fn wait_for_end_of_output(&self) {
        within("stdout to end", self.stdout.wait(|_| None::<()>)).await;
    }

    /// Closes stdin, and waits for the end of the process and its output.
    pub async fn close(&mut self) -> ExitStatus {
        self.close_stdin();
        self.wait().await
    }

    /// Closes stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end of the process and its output.
    pub async fn wait(&mut self) -> ExitStatus {
        let Ok(status) = tokio::time::timeout(GUARD, self.child_mut().wait()).await else {
            panic!("the proxy does not exit; stderr:\n{}", self.stderr());
        };
        self.wait_for_end_of_output().await;
        within("stderr to end", self.stderr.wait(|_| None::<()>)).await;
        status.unwrap()
    }

    fn child(&self) -> &Child {
        self.child.as_ref().expect("no process behind")
    }

    fn child_mut(&mut self) -> &mut Child {
        self.child.as_mut().expect("no process behind")
    }

    /// Kills the process, like a crash.
    pub async fn kill(&mut self) {
        self.child_mut().kill().await.unwrap();
    }

    /// Sends a signal to the process, by a name such as `TERM` or `INT`.
    #[cfg(unix)]
    pub async fn signal(&self, name: &str) {
        let mut kill = tokio::process::Command::new("kill");
        kill.args([format!("-{name}"), self.pid().to_string()]);
        assert!(kill.status().await.unwrap().success());
    }
}

fn stderr_of(stderr: &Output<Vec<u8>>) -> String {
    stderr.look(|bytes| String::from_utf8_lossy(bytes).into_owned())
}
