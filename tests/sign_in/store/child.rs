//! Runs this test program as a child process with one role.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use mcp_manifold::oauth::{LockKind, Swap, Timestamp, Tokens, Version};

use super::token_server::Caller;
use super::{docs, done, refresh_token, tokens};

/// The timeout of a hanging test; longer than any test takes.
pub(crate) const GUARD: Duration = Duration::from_secs(30);

/// The role of a child process that uses the login below a folder.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// Increments a number this many times by compare and swap.
    Count(u64),
    /// Uses a token this many times; refreshes it under the lock if it has expired.
    Refresh(u64, SocketAddr),
    /// Acquires the login lock, prints a line, and keeps the lock.
    Hold,
    /// Writes repeatedly and prints a line after each write.
    Write,
    /// Reads once, writes once, and prints both results.
    ReadAndWrite,
}

impl Role {
    fn words(self) -> String {
        match self {
            Self::Count(times) => format!("count {times}"),
            Self::Refresh(times, authority) => format!("refresh {times} {authority}"),
            Self::Hold => "hold".to_owned(),
            Self::Write => "write".to_owned(),
            Self::ReadAndWrite => "read-and-write".to_owned(),
        }
    }
}

/// A child process, killed on drop.
pub(crate) struct Process {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Process {
    pub(crate) fn start(home: &Path, role: Role) -> Self {
        let program = std::env::current_exe().unwrap();
        Self::start_as(Command::new(program), home, role)
    }

    /// Starts `command`, which ends with the path of this program.
    pub(crate) fn start_as(mut command: Command, home: &Path, role: Role) -> Self {
        command
            .args(["--exact", "store::child::child_process"])
            .env("STORE_TEST_HOME", home)
            .env("STORE_TEST_ROLE", role.words())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Without this, the test harness would capture the output.
        let mut child = command.arg("--nocapture").spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// The next line of its stderr.
    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Kills it without cleanup.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it exits.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child process that other tests start. Passes without effect as a test.
#[tokio::test]
async fn child_process() {
    let Some(home) = std::env::var_os("STORE_TEST_HOME").map(PathBuf::from) else {
        return;
    };
    let role = std::env::var("STORE_TEST_ROLE").unwrap();
    let run = async {
        match role.split(' ').collect::<Vec<_>>()[..] {
            ["count", times] => count(&home, times.parse().unwrap()).await,
            ["refresh", times, authority] => {
                refresh(&home, times.parse().unwrap(), authority.parse().unwrap()).await;
            }
            ["hold"] => hold(&home).await,
            ["write"] => write(&home).await,
            ["read-and-write"] => read_and_write(&home).await,
            _ => panic!("no role `{role}`"),
        }
    };
    // Limits how long a test waits for this process.
    tokio::time::timeout(GUARD, run).await.unwrap();
}

async fn count(home: &Path, times: u64) {
    let stored = docs(home).tokens();
    for _ in 0..times {
        let mut seen = stored.load().await.unwrap();
        loop {
            let mut record = seen.record.unwrap_or_else(|| tokens("r"));
            let count = record.expires_at.map_or(0, |count| count.0 + 1);
            record.expires_at = Some(Timestamp(count));
            match stored.replace(seen.version, record).await.unwrap() {
                Swap::Done(_) => break,
                Swap::Conflict(there) => seen = there,
            }
        }
    }
}

async fn refresh(home: &Path, times: u64, authority: SocketAddr) {
    let store = docs(home);
    let stored = store.tokens();
    let mut caller = Caller::connect(authority);
    let ended = |tokens: &Option<Tokens>, now| {
        let tokens = tokens.as_ref().unwrap();
        tokens.expires_within(Duration::ZERO, Timestamp(now))
    };
    for now in 1..=times {
        caller.wait_for_the_others();
        if !ended(&stored.load().await.unwrap().record, now) {
            continue;
        }
        let _lock = store.lock(LockKind::Refresh, GUARD).await.unwrap();
        let seen = stored.load().await.unwrap();
        if !ended(&seen.record, now) {
            continue;
        }
        let renewed = caller.refresh(refresh_token(&seen));
        let mut record = tokens(&renewed);
        record.expires_at = Some(Timestamp(now + 1));
        done(stored.replace(seen.version, record).await.unwrap());
    }
}

async fn hold(home: &Path) {
    let _lock = docs(home).lock(LockKind::Login, GUARD).await.unwrap();
    eprintln!("held");
    std::future::pending::<()>().await;
}

async fn write(home: &Path) {
    let stored = docs(home).tokens();
    let mut version = stored.load().await.unwrap().version;
    loop {
        let swap = stored.replace(version, tokens("r")).await.unwrap();
        version = done(swap).version;
        eprintln!("written");
    }
}

async fn read_and_write(home: &Path) {
    let stored = docs(home).tokens();
    match stored.load().await {
        Ok(seen) => eprintln!("read {}", seen.record.is_some()),
        Err(error) => eprintln!("{error}"),
    }
    match stored.replace(Version::NONE, tokens("r")).await {
        Ok(swap) => eprintln!("written {}", matches!(swap, Swap::Done(_))),
        Err(error) => eprintln!("{error}"),
    }
}
