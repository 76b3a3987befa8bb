//! One message in, the right upstream out: routes calls by the catalog, keeps account of what is
//! in flight, and translates between the eras of client and upstream.

mod call;
mod client;
mod client_notifications;
mod context;
mod forward;
mod methods;
mod upstream_events;

mod reload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::catalog::{CatalogView, instructions};
use crate::config::Limits;
use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::json_key::Key;
use crate::protocol::reply::cancelled;
use crate::protocol::{ClientProfile, ItemKind};
use crate::upstream::{Registry, Upstream};
use crate::wire::{Line, Message};

use client::announced_items::AnnouncedItems;
use client::in_flight::Inflight;
pub use client::outbox::{Lines, Outbox};
use client::profile::Client;
use client::proxied_tasks::{Errand, Errands};
use client::server_requests::Asks;
use client::subscriptions::Subscriptions;
use client::task_owners::Owners;
use forward::suspend::Parking;
use methods::listings::Listed;
use upstream_events::Announcements;

/// Routes messages between the client and the upstreams.
#[derive(Debug)]
pub struct Router {
    upstreams: Registry,
    view: watch::Receiver<CatalogView>,
    outbox: Outbox,
    inflight: Inflight,
    client: Client,
    asks: Asks,
    parking: Parking,
    announcements: Announcements,
    announced_items: AnnouncedItems,
    listed: Listed,
    subscriptions: Subscriptions,
    /// Whose tasks are whose.
    owned: Owners,
    errands: Errands,
    limits: Limits,
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
    Completion,
    Subscribe,
    Unsubscribe,
    Listen,
    Items(ItemKind),
    Task(&'static str),
    Tasks,
    Level,
}

impl Asked {
    fn by(method: &str) -> Option<Self> {
        Some(match method {
            "tools/call" => Self::Call,
            "tools/list" => Self::Tools,
            "prompts/get" => Self::Prompt,
            "resources/read" => Self::Resource,
            "completion/complete" => Self::Completion,
            "resources/subscribe" => Self::Subscribe,
            "resources/unsubscribe" => Self::Unsubscribe,
            "subscriptions/listen" => Self::Listen,
            "tasks/get" => Self::Task("tasks/get"),
            "tasks/result" => Self::Task("tasks/result"),
            "tasks/cancel" => Self::Task("tasks/cancel"),
            "tasks/update" => Self::Task("tasks/update"),
            "tasks/list" => Self::Tasks,
            "logging/setLevel" => Self::Level,
            method => Self::Items(ItemKind::listed_by(method)?),
        })
    }
}

impl Router {
    /// A router that has not connected to anything yet. `limits` bound what it holds.
    #[must_use]
    pub fn new(
        upstreams: Registry,
        view: watch::Receiver<CatalogView>,
        limits: Limits,
        outbox: Outbox,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            upstreams,
            view,
            outbox,
            inflight: Inflight::new(limits.max_calls),
            client: Client::default(),
            asks: Asks::new(limits.input_wait),
            parking: Parking::default(),
            announcements: Announcements::default(),
            announced_items: AnnouncedItems::default(),
            listed: Listed::default(),
            subscriptions: Subscriptions::default(),
            owned: Owners::default(),
            errands: Errands::default(),
            limits,
            tasks,
            cancel,
            begun: AtomicBool::new(false),
        })
    }

    /// Connects to all upstreams on behalf of the client that sent this request. Only the first
    /// call does anything: clients may start a server and never speak to it, and then nothing
    /// is connected.
    pub fn begin(self: &Arc<Self>, request: &Message, client: Era) {
        if self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let identity = self.client.speaker(request, client).identity;
        debug!(client = identity.client_info(), "connecting");
        for upstream in self.upstreams.all().iter() {
            self.start(upstream, &identity);
        }
        self.tasks.spawn(self.clone().announce());
    }

    fn start(self: &Arc<Self>, upstream: &Upstream, identity: &Arc<ClientProfile>) {
        let events = Arc::new(upstream_events::Relay::new(self));
        upstream.start(identity, events, &self.tasks, &self.cancel);
    }

    /// Answers a request that is not for the proxy itself: begins what an upstream must do,
    /// and refuses what none can.
    pub async fn route(self: &Arc<Self>, request: Message, client: Era) {
        match Asked::by(&request.method()) {
            Some(Asked::Call) => self.call_tool(request, client).await,
            Some(Asked::Tools) => self.list_tools(request, client).await,
            Some(Asked::Prompt) => self.get_prompt(request, client).await,
            Some(Asked::Resource) => self.read_resource(request, client).await,
            Some(Asked::Completion) => self.complete(request, client).await,
            Some(Asked::Subscribe) => self.subscribe(request, client).await,
            Some(Asked::Unsubscribe) => self.unsubscribe(request, client).await,
            Some(Asked::Listen) => self.listen(request, client).await,
            Some(Asked::Items(kind)) => self.list_items(request, kind, client).await,
            Some(Asked::Task(method)) => self.ask_about_task(request, method, client).await,
            Some(Asked::Tasks) => self.list_tasks(request, client).await,
            Some(Asked::Level) => self.set_level(request, client).await,
            None => self.ask_extension(request, client).await,
        }
    }

    /// Answers a request with an error of our own.
    async fn refuse(&self, request: &Message, code: i64, text: &str) {
        if let Some(id) = request.id() {
            self.send(Line::error(&id, code, text, &Value::Null)).await;
        }
    }

    /// The merged instructions of the upstreams, as far as they are known now.
    #[must_use]
    pub fn instructions(&self) -> Option<String> {
        let upstreams = self.upstreams.all();
        let said: Vec<_> = upstreams
            .iter()
            .map(|upstream| upstream.offers().profile()?.instructions.clone())
            .collect();
        let names = upstreams.iter().map(|it| it.config().name.as_str());
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
        self.subscriptions.close(&key);
        debug!(id = %String::from_utf8_lossy(id.value()), "cancelled by the client");
        if let Some((live, serial)) = call {
            let body = bridge::with_param(notification, "requestId", serial.to_string().as_bytes());
            self.answer_upstream(&live, body);
        }
    }

    /// Cancels everything that is in flight, and tells the upstreams, and the client of its
    /// subscriptions, for at most `grace`.
    pub async fn shut_down(&self, grace: Duration) {
        // Before their calls go, which would have them cancelled too late.
        let errands = self.errands.drain().into_iter().map(Errand::cancel);
        let errands = futures_util::future::join_all(errands);
        let listens = self.end_listens(self.subscriptions.close_all());
        let open = self.inflight.abort_all().into_iter();
        let cancellations = open
            .chain(self.parking.clear())
            .map(|(live, serial)| async move {
                let body = cancelled(serial, "the client has left");
                let _ = live.notify(body).await;
            });
        let all = futures_util::future::join_all(cancellations);
        let all = async { tokio::join!(all, errands, listens) };
        let _ = tokio::time::timeout(grace, all).await;
    }

    /// The client opens a session: what it says of itself holds for all its legacy requests.
    pub fn open_session(&self, initialize: &Message) {
        self.client.open_session(initialize);
        let client = self.client.session();
        for upstream in self.upstreams.all().iter() {
            upstream.adopt(&client);
            upstream.set_level(None);
        }
    }

    async fn send(&self, line: Line) {
        self.outbox.send(line).await;
    }
}
