//! The state of one client. Its declarations, requests and notifications are in its [`ClientSession`], and not
//! in state of the process.

pub(crate) mod announced_items;
pub(crate) mod announced_tools;
pub(crate) mod in_flight;
pub(crate) mod log_filter;
pub(crate) mod number;
pub(crate) mod outbox;
pub(crate) mod profile;
pub(crate) mod proxied_tasks;
pub(crate) mod server_requests;
pub(crate) mod subscriptions;
pub(crate) mod suspended_calls;
pub(crate) mod task_owners;

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::upstream::{ClientId, ConnectionUse};
use crate::wire::{Line, Message};
use announced_items::AnnouncedItems;
use announced_tools::AnnouncedTools;
use in_flight::InFlight;
use number::SessionNumber;
use outbox::Outbox;
use profile::ClientProfiles;
use proxied_tasks::ProxiedTasks;
use server_requests::PendingServerRequests;
use subscriptions::Subscriptions;
use suspended_calls::SuspendedCalls;
use task_owners::TaskOwners;

/// One client: a process on the other end of stdio, and later one HTTP client.
#[derive(Debug)]
pub(crate) struct ClientSession {
    pub(crate) number: SessionNumber,
    pub(crate) id: ClientId,
    pub(crate) outbox: Outbox,
    pub(crate) in_flight: InFlight,
    pub(crate) profiles: ClientProfiles,
    pub(crate) server_requests: PendingServerRequests,
    pub(crate) suspended_calls: SuspendedCalls,
    pub(crate) announced_tools: AnnouncedTools,
    pub(crate) announced_items: AnnouncedItems,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) task_owners: TaskOwners,
    pub(crate) proxied_tasks: ProxiedTasks,
    /// Cancels the tasks that run for this client alone.
    pub(crate) cancel: CancellationToken,
    /// Whether the client has a legacy session that accepts notifications outside of requests.
    is_initialized: AtomicBool,
    has_started: AtomicBool,
}

impl ClientSession {
    /// Creates the session of a client that has sent nothing.
    pub(crate) fn new(
        number: SessionNumber,
        outbox: Outbox,
        limits: &Limits,
        cancel: CancellationToken,
    ) -> Self {
        let id = ClientId::next();
        Self {
            number,
            id,
            outbox,
            in_flight: InFlight::new(limits.max_calls),
            profiles: ClientProfiles::default(),
            server_requests: PendingServerRequests::new(number, limits.input_wait),
            suspended_calls: SuspendedCalls::new(limits.parked_calls),
            announced_tools: AnnouncedTools::default(),
            announced_items: AnnouncedItems::default(),
            subscriptions: Subscriptions::default(),
            task_owners: TaskOwners::default(),
            proxied_tasks: ProxiedTasks::new(id),
            cancel,
            is_initialized: AtomicBool::new(false),
            has_started: AtomicBool::new(false),
        }
    }

    /// Queues a line for the client.
    pub(crate) async fn send(&self, line: Line) {
        self.outbox.send(line).await;
    }

    /// Queues a message for the client, unchanged.
    pub(crate) async fn send_message(&self, message: &Message) {
        self.send(Line::whole(message.bytes().clone())).await;
    }

    /// Records that the client has sent `notifications/initialized`.
    pub(crate) fn mark_initialized(&self) {
        self.is_initialized.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the client has a legacy session that accepts notifications.
    pub(crate) fn is_initialized(&self) -> bool {
        self.is_initialized.load(Ordering::Relaxed)
    }

    /// Records that the client has started the upstreams. Returns `true` only for the first call.
    pub(crate) fn mark_started(&self) -> bool {
        !self.has_started.swap(true, Ordering::Relaxed)
    }

    /// Whether the client has a call in flight or suspended on this connection.
    pub(crate) fn has_call_at(&self, connection: &ConnectionUse) -> bool {
        self.in_flight.has_call_at(connection) || self.suspended_calls.has_call_at(connection)
    }
}
