//! `mcp-manifold`: serves the client on stdin and stdout until it leaves.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use super::BAD_CONFIGURATION;
use super::logging::{self, SERVING};
use super::runtime::{self, SHUTDOWN_GRACE, signalled};
use crate::catalog::{Keeper, View};
use crate::config::{Config, Environment, Severity};
use crate::downstream::{Read, Session, Stdin, open_stdout, stdout_closed, write_lines};
use crate::net::watch_sleep;
use crate::oauth::{Authorizer, Manner, Surroundings, home};
use crate::router::Router;
use crate::upstream::Upstream;

/// How many lines may wait for the client to read them. When it reads no further,
/// whatever produces lines waits.
const OUTBOX_LINES: usize = 256;

/// Reads the configuration and serves.
pub(super) fn run() -> ExitCode {
    let environment = Environment::from_process();
    logging::start(&environment, SERVING);
    let config = match Config::from_environment(&environment) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("mcp-manifold: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    for problem in &config.problems {
        match problem.severity {
            Severity::Error => error!("{problem}"),
            Severity::Warning => warn!("{problem}"),
        }
    }
    runtime::run(serve(config, &environment))
}

async fn serve(config: Config, environment: &Environment) -> ExitCode {
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (outbox, lines) = mpsc::channel(OUTBOX_LINES);
    let changed = Arc::new(Notify::new());
    let limits = config.limits;
    let limit = limits.message_bytes;
    let around = Surroundings::new(environment, Manner::Background, tasks.clone());
    let home = home(environment).inspect_err(|error| error!(%error, "no login can be kept"));
    let home = home.as_deref().ok();
    let upstream = |(index, upstream)| {
        let authorizer = home.and_then(|home| Authorizer::new(home, &upstream, around.clone()));
        let clients = around.clients.clone();
        let changed = changed.clone();
        Upstream::new(index, upstream, clients, authorizer, &limits, changed)
    };
    let upstreams: Vec<_> = (0..).zip(config.upstreams).map(upstream).collect();
    let (view_sender, view) = watch::channel(View::default());
    let keeper = Keeper {
        upstreams: upstreams.clone(),
        changed,
        limits: limits.clone(),
    };
    let router = Router::new(
        upstreams,
        view,
        limits,
        outbox.clone(),
        tasks.clone(),
        cancel.clone(),
    );
    let session = Session::new(router.clone(), outbox);

    let mut writer = tokio::spawn(write_lines(open_stdout(), lines));
    let keeping = || {
        tasks.spawn(keeper.run(view_sender, cancel.clone()));
        tasks.spawn(watch_sleep(around.clients.clone(), cancel.clone()));
    };
    let reason = tokio::select! {
        biased;
        name = signalled() => name,
        _ = &mut writer => "the client no longer reads",
        // Not only when there is something to write.
        () = stdout_closed() => "the client closed stdout",
        () = read(&session, limit, keeping) => "the client closed stdin",
    };
    debug!(reason, "shutting down");
    let deadline = Instant::now() + SHUTDOWN_GRACE;
    router.shut_down(SHUTDOWN_GRACE / 2).await;
    cancel.cancel();
    tasks.close();
    if timeout_at(deadline, tasks.wait()).await.is_err() {
        info!("an upstream did not let go in time");
    }
    drop((session, router));
    // When it was the writer that ended, its handle must not be asked again.
    if !writer.is_finished() {
        let _ = timeout_at(deadline, writer).await;
    }
    ExitCode::SUCCESS
}

/// Takes lines until the client closes its end. The clock of the first listing starts,
/// by `begin`, with the first of them.
async fn read(session: &Session, limit: usize, begin: impl FnOnce()) {
    let mut stdin = Stdin::open(limit);
    let mut begin = Some(begin);
    loop {
        match stdin.next().await {
            Read::Line(line) => {
                if let Some(begin) = begin.take() {
                    begin();
                }
                // It waits when the client does not read its answers.
                let taken = session.take(line);
                tokio::select! {
                    biased;
                    () = taken => {}
                    () = gone(&stdin) => return,
                }
            }
            Read::TooLong => session.too_long(limit).await,
            Read::End => return,
        }
    }
}

/// Waits until the client has closed stdin, and then for the answers that it may still read.
async fn gone(stdin: &Stdin) {
    stdin.closed().await;
    tokio::time::sleep(SHUTDOWN_GRACE / 2).await;
}
