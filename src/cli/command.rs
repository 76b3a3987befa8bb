//! What the commands have in common: how they begin, connect, and end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::BAD_CONFIGURATION;
use super::logging;
use super::output::say;
use super::runtime::{self, SHUTDOWN_GRACE, signalled};
use crate::config::{self, Environment, Limits};
use crate::disk::home;
use crate::oauth::{AuthContext, Authorizer, LoginMode};
use crate::protocol::reply::answer_to;
use crate::protocol::{ItemKind, ItemList};
use crate::upstream::{Bounds, CacheDirectory, Connection, Events, Upstream, UpstreamId};
use crate::wire::Message;

/// The status after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was called in a wrong way, or the configuration is wrong.
    Usage(String),
    /// It could not be done.
    Failed(String),
}

/// Runs a command until it is done or a signal comes.
pub(super) fn run<F>(command: impl FnOnce(Environment) -> F) -> ExitCode
where
    F: Future<Output = Result<ExitCode, Trouble>>,
{
    let environment = Environment::from_process();
    logging::command(&environment);
    runtime::run(async {
        let ended = tokio::select! {
            ended = command(environment) => ended,
            _ = signalled() => return ExitCode::from(INTERRUPTED),
        };
        let (text, code) = match ended {
            Ok(code) => return code,
            Err(Trouble::Usage(text)) => (text, ExitCode::from(BAD_CONFIGURATION)),
            Err(Trouble::Failed(text)) => (text, ExitCode::FAILURE),
        };
        say(&format!("mcp-manifold: {text}"));
        code
    })
}

/// The connections that a command makes.
pub(super) struct Connections {
    home: PathBuf,
    around: AuthContext,
    cancel: CancellationToken,
}

impl Connections {
    /// None yet. `manner` says whether a person may be asked to sign in.
    ///
    /// # Errors
    /// When nothing says where logins are kept.
    pub(super) fn new(environment: &Environment, manner: LoginMode) -> Result<Self, Trouble> {
        Ok(Self {
            home: home(environment).map_err(|error| Trouble::Usage(error.to_string()))?,
            around: AuthContext::new(environment, manner, TaskTracker::new()),
            cancel: CancellationToken::new(),
        })
    }

    /// The credentials of an upstream, if the configuration lets somebody sign in.
    pub(super) fn authorizer(&self, upstream: &config::Upstream) -> Option<Arc<Authorizer>> {
        Authorizer::new(&self.home, upstream, self.around.clone())
    }

    /// What is remembered of upstreams.
    pub(super) fn cache(&self) -> CacheDirectory {
        CacheDirectory::new(&self.home)
    }

    /// Begins to connect to an upstream.
    pub(super) fn begin(
        &self,
        upstream: config::Upstream,
        authorizer: Option<Arc<Authorizer>>,
        limits: Limits,
    ) -> Upstream {
        let (clients, changed) = (self.around.clients.clone(), Arc::default());
        let changed: Arc<Notify> = changed;
        let bounds = Bounds::new(limits);
        let upstream = Upstream::new(upstream, clients, authorizer, bounds, changed);
        let tasks = &self.around.tasks;
        upstream.start(&Arc::default(), Arc::new(Unheard), tasks, &self.cancel);
        upstream
    }

    /// Closes them, within bounds.
    pub(super) async fn close(self) {
        self.cancel.cancel();
        self.around.tasks.close();
        let _ = timeout(SHUTDOWN_GRACE, self.around.tasks.wait()).await;
    }
}

/// Nobody listens to what upstreams say unasked.
#[derive(Debug)]
struct Unheard;

impl Events for Unheard {
    fn notification(&self, _: UpstreamId, _: Arc<Connection>, _: Message) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn request(&self, live: Arc<Connection>, request: Message) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = live.notify(answer_to(&request)).await;
        })
    }

    fn has_sent_items(&self, _: UpstreamId, _: ItemKind) -> bool {
        false
    }

    fn items_listed(&self, _: UpstreamId, _: Vec<(ItemKind, ItemList)>) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn ended(&self, _: &Arc<Connection>) {}
}
