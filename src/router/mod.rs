//! One message in, the right upstream out: routes calls by the catalog, keeps account of what is
//! in flight, and translates between the eras of client and upstream.

mod bridge;
mod calls;
mod events;
mod extensions;
mod inflight;
mod lists;
mod reads;
mod relay;
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::catalog::{View, instructions};
use crate::upstream::{Kind, Upstream};
use crate::wire::{Era, Line, Message};

use events::Announcements;
use inflight::{Inflight, Key};
use lists::Listed;
use tasks::{Errand, Errands, Owners};

/// Where lines for the client go: the one writer of stdout.
pub type Outbox = mpsc::Sender<Line>;

/// Routes messages between the client and the upstreams.
#[derive(Debug)]
pub struct Router {
    upstreams: Vec<Upstream>,
    view: watch::Receiver<View>,
    outbox: Outbox,
    inflight: Inflight,
    announcements: Announcements,
    listed: Listed,
    /// Whose tasks are whose.
    owned: Owners,
    errands: Errands,
    name_length: usize,
    tasks: TaskTracker,
    cancel: CancellationToken,
    begun: AtomicBool,
}

/// What a client can ask of the upstreams.
enum Asked {
    Call,
    Tools,
    Prompt,
    Resource,
    Items(Kind),
    Task,
    Tasks,
}

impl Asked {
    fn by(method: &str) -> Option<Self> {
        Some(match method {
            "tools/call" => Self::Call,
            "tools/list" => Self::Tools,
            "prompts/get" => Self::Prompt,
            "resources/read" => Self::Resource,
            "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update" => Self::Task,
            "tasks/list" => Self::Tasks,
            method => Self::Items(Kind::listed_by(method)?),
        })
    }
}

impl Router {
    /// A router that has not connected to anything yet. Names are at most `name_length` characters.
    #[must_use]
    pub fn new(
        upstreams: Vec<Upstream>,
        view: watch::Receiver<View>,
        name_length: usize,
        outbox: Outbox,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            upstreams,
            view,
            outbox,
            inflight: Inflight::default(),
            announcements: Announcements::default(),
            listed: Listed::default(),
            owned: Owners::default(),
            errands: Errands::default(),
            name_length,
            tasks,
            cancel,
            begun: AtomicBool::new(false),
        })
    }

    /// Connects to all upstreams on behalf of the client that sent this request. Only the first
    /// call does anything: clients may start a server and never speak to it, and then nothing
    /// is connected.
    pub fn begin(self: &Arc<Self>, request: &Message) {
        if self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let identity = bridge::identity(request).unwrap_or_default();
        debug!(client = identity.client_info, "connecting");
        for upstream in &self.upstreams {
            let events = Arc::new(events::Relay::new(self));
            upstream.start(identity.clone(), events, &self.tasks, self.cancel.clone());
        }
        self.tasks.spawn(self.clone().announce());
    }

    /// Answers a request that is not for the proxy itself: begins what an upstream must do,
    /// and refuses what none can.
    pub async fn route(self: &Arc<Self>, request: Message, client: Era) {
        match Asked::by(&request.method()) {
            Some(Asked::Call) => self.call_tool(request, client).await,
            Some(Asked::Tools) => self.list_tools(request, client).await,
            Some(Asked::Prompt) => self.get_prompt(request, client).await,
            Some(Asked::Resource) => self.read_resource(request, client).await,
            Some(Asked::Items(kind)) => self.list_items(request, kind, client).await,
            Some(Asked::Task) => self.ask_about_task(request, client).await,
            Some(Asked::Tasks) => self.list_tasks(request, client).await,
            None => self.ask_extension(request, client).await,
        }
    }

    /// Answers a request with an error of our own.
    async fn refuse(&self, request: &Message, code: i64, text: &str) {
        if let Some(id) = request.id() {
            self.send(Line::error(&id, code, text, &Value::Null)).await;
        }
    }

    /// The merged instructions of the upstreams that are connected now.
    #[must_use]
    pub fn instructions(&self) -> Option<String> {
        let said: Vec<_> = self
            .upstreams
            .iter()
            .map(|upstream| upstream.ready()?.facts.instructions.clone())
            .collect();
        let names = self
            .upstreams
            .iter()
            .map(|upstream| upstream.config().name.as_str());
        let texts: Vec<_> = names.zip(said.iter().map(Option::as_deref)).collect();
        instructions::merge(&texts)
    }

    /// Cancels what the client has cancelled (MCP § Cancellation). No reply follows.
    pub fn cancel(self: &Arc<Self>, notification: &Message) {
        let Some(id) = notification.param("requestId") else {
            return;
        };
        let key = Key::new(&notification.bytes().slice_ref(id.value()));
        let Some(call) = self.inflight.abort(&key) else {
            return;
        };
        debug!(id = %String::from_utf8_lossy(id.value()), "cancelled by the client");
        if let Some((upstream, serial)) = call {
            let body = bridge::cancelled(notification, serial);
            self.tasks.spawn(async move { upstream.notify(body).await });
        }
    }

    /// Cancels everything that is in flight, and tells the upstreams, for at most `grace`.
    pub async fn shut_down(&self, grace: Duration) {
        // Before their calls go, which would have them cancelled too late.
        let errands = self.errands.drain().into_iter().map(Errand::cancel);
        let errands = futures_util::future::join_all(errands);
        let cancellations =
            self.inflight
                .abort_all()
                .into_iter()
                .map(|(upstream, serial)| async move {
                    upstream.notify(bridge::cancelled_by_us(serial)).await;
                });
        let all = futures_util::future::join_all(cancellations);
        let _ = tokio::time::timeout(grace, async { tokio::join!(all, errands) }).await;
    }

    async fn send(&self, line: Line) {
        // Fails only when the writer has ended, and with it the client.
        let _ = self.outbox.send(line).await;
    }
}
