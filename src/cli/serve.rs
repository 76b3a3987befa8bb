//! `mcp-manifold`: serves the client on stdin and stdout until it leaves.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info};

use super::exit::BAD_CONFIGURATION;
use super::logging;
use super::parent::parent_gone;
use super::reload::{self, Reload};
use super::runtime::{self, RECALL_WAIT, SHUTDOWN_GRACE, signalled};
use super::watch::Watch;
use crate::catalog::{CatalogUpdater, CatalogView};
use crate::config::{self, Config, Environment};
use crate::disk::home;
use crate::downstream::{Read, Session, Stdin, open_stdout, stdout_closed, write_lines};
use crate::net::Clients;
use crate::oauth::{AuthContext, Authorizer, LoginMode};
use crate::router::{Outbox, Router};
use crate::upstream::{Bounds, CacheWriter, Registry, Upstream};

/// Reads the configuration and serves.
pub(super) fn run() -> ExitCode {
    let environment = Environment::from_process();
    // Before it is read, so that nothing is missed.
    let watch = Config::file(&environment).map(Watch::new);
    let config = match Config::from_environment(&environment) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("mcp-manifold: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    logging::serve(&environment, config.limits.log_rate);
    reload::report_problems(&config.problems);
    runtime::run(serve(config, environment, watch))
}

async fn serve(config: Config, environment: Environment, watch: Option<Watch>) -> ExitCode {
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let bounds = Bounds::new(config.limits.clone());
    let (outbox, lines) = Outbox::new(bounds.send_budget.add_client());
    let changed = Arc::new(Notify::new());
    let limit = config.limits.message_bytes;
    let auth = AuthContext::new(&environment, LoginMode::Background, tasks.clone());
    let clients = auth.clients.clone();
    let home = home(&environment).inspect_err(|error| error!(%error, "no login can be kept"));
    let home = home.ok();
    let make = upstream_factory(home.clone(), auth, bounds, changed.clone());
    let upstreams = Registry::new(config.upstreams.into_iter().map(&make).collect());
    let cache = home.filter(|_| config.limits.remember);
    let cache = cache.map(|home| CacheWriter::new(&home, upstreams.clone()));
    let loader = cache.as_ref().map(CacheWriter::loader);
    let loaded = cache.map(|cache| {
        let (sender, loaded) = oneshot::channel();
        tasks.spawn(cache.run(sender, cancel.clone()));
        loaded
    });
    let (view_sender, view) = watch::channel(CatalogView::default());
    let updater = CatalogUpdater {
        upstreams: upstreams.clone(),
        changed,
        limits: config.limits.clone(),
    };
    let router = Router::new(
        upstreams.clone(),
        view,
        config.limits,
        tasks.clone(),
        cancel.clone(),
    );
    let session = Session::new(router.open_client(outbox.clone()), outbox);
    if let Some(watch) = watch {
        let reload = Reload {
            environment,
            registry: upstreams,
            router: router.clone(),
            loader,
            make,
        };
        tasks.spawn(reload.run(watch, cancel.clone()));
    }
    let begin = async || {
        if let Some(loaded) = loaded {
            let _ = timeout(RECALL_WAIT, loaded).await;
        }
        tasks.spawn(updater.run(view_sender, cancel.clone()));
        tasks.spawn(clients.clone().watch_suspend(cancel.clone()));
    };
    let mut writer = tokio::spawn(write_lines(open_stdout(), lines));
    let reason = run_until_shutdown(&session, limit, &clients, begin, &mut writer).await;
    debug!(reason, "shutting down");
    end(router, session, writer, tasks, cancel).await;
    ExitCode::SUCCESS
}

/// What makes an upstream that is not connected yet.
fn upstream_factory(
    home: Option<PathBuf>,
    auth: AuthContext,
    bounds: Bounds,
    changed: Arc<Notify>,
) -> impl Fn(config::Upstream) -> Upstream {
    move |upstream| {
        let home = home.as_deref();
        let authorizer = home.and_then(|home| Authorizer::new(home, &upstream, auth.clone()));
        let clients = auth.clients.clone();
        Upstream::new(
            upstream,
            clients,
            authorizer,
            bounds.clone(),
            changed.clone(),
        )
    }
}

/// Serves until there is nobody to serve any more, and says why. `begin` goes before the first line.
async fn run_until_shutdown(
    session: &Session,
    limit: usize,
    clients: &Clients,
    begin: impl AsyncFnOnce(),
    writer: &mut JoinHandle<io::Result<()>>,
) -> &'static str {
    let speaks = Notify::new();
    let begin = async || {
        begin().await;
        speaks.notify_one();
    };
    tokio::select! {
        biased;
        name = signalled() => name,
        _ = writer => "the client no longer reads",
        // Not only when there is something to write.
        () = stdout_closed() => "the client closed stdout",
        () = read(session, limit, clients, begin) => "the client closed stdin",
        () = parent_gone(speaks.notified()) => "the process that started us is gone",
    }
}

/// Ends what is under way, and lets the last lines be written.
async fn end(
    router: Arc<Router>,
    session: Session,
    writer: JoinHandle<io::Result<()>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
) {
    let deadline = Instant::now() + SHUTDOWN_GRACE;
    router.shut_down(SHUTDOWN_GRACE / 2).await;
    cancel.cancel();
    tasks.close();
    if timeout_at(deadline, tasks.wait()).await.is_err() {
        info!("an upstream did not let go in time");
    }
    drop((router, session));
    // When it was the writer that ended, its handle must not be asked again.
    if !writer.is_finished() {
        let _ = timeout_at(deadline, writer).await;
    }
}

/// Takes lines until the client closes its end. The clock of the first listing starts,
/// by `begin`, with the first of them, which is served when that is done.
async fn read(session: &Session, limit: usize, clients: &Clients, begin: impl AsyncFnOnce()) {
    let mut stdin = Stdin::open(limit);
    let mut begin = Some(begin);
    loop {
        match stdin.next().await {
            Read::Line(line) => {
                if let Some(begin) = begin.take() {
                    begin().await;
                }
                // What it asks for must not go out on what died in sleep.
                clients.detect_suspend();
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
