//! Tasks that the proxy follows for a client that does not know tasks.
//!
//! When the call ends before its task, the proxy sends `tasks/cancel`, as the client cannot. A cancellation of
//! the call's requests would not end the task (MCP 2025-11-25 § Cancellation, SEP-2663 § Task Cancellation).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::protocol::bridge;
use crate::protocol::bridge::target::Target;
use crate::protocol::task::Task;
use crate::protocol::tasks_extension;
use crate::protocol::{Caller, Era};
use crate::router::call::request::ClientRequest;
use crate::sync::Mutex;
use crate::upstream::{Activity, ClientId, Connection, ConnectionUse, Upstream, next_id};
use crate::wire::Message;

/// All tasks that the proxy follows for one client.
#[derive(Debug)]
pub(crate) struct ProxiedTasks {
    client: ClientId,
    running: Mutex<HashMap<u64, ProxiedTask>>,
    next_serial: AtomicU64,
    /// The number of calls in flight that may create such a task.
    creating: AtomicUsize,
}

/// A task, with the request that cancels it.
#[derive(Debug)]
pub(crate) struct ProxiedTask {
    upstream: Upstream,
    task: Task,
    /// `tasks/cancel`, as the client would send it.
    cancel_request: Message,
    client: ClientId,
    caller: Caller,
}

impl ProxiedTasks {
    /// Creates an empty table for this client.
    pub(crate) fn new(client: ClientId) -> Self {
        Self {
            client,
            running: Mutex::default(),
            next_serial: AtomicU64::default(),
            creating: AtomicUsize::default(),
        }
    }

    /// Registers a task. The task is cancelled unless [`ProxiedTaskGuard::finish`] is called.
    pub(crate) fn register<'a>(
        &'a self,
        call: &ClientRequest,
        upstream: &Upstream,
        task: &Task,
        tasks: &'a TaskTracker,
    ) -> ProxiedTaskGuard<'a> {
        let serial = self.next_serial.fetch_add(1, Ordering::Relaxed);
        if let Some(cancel_request) =
            tasks_extension::task_request(&call.message, "tasks/cancel", &task.quoted_id, None)
        {
            let proxied = ProxiedTask {
                upstream: upstream.clone(),
                task: task.clone(),
                cancel_request,
                client: self.client,
                caller: call.caller.clone(),
            };
            self.running.lock().insert(serial, proxied);
        }
        self.resume(serial, tasks)
    }

    /// Records that a call may create a task.
    pub(crate) fn begin_creation(&self) -> TaskCreationGuard<'_> {
        self.creating.fetch_add(1, Ordering::Relaxed);
        TaskCreationGuard(self)
    }

    /// Whether an unknown task may be one that the proxy will follow.
    pub(crate) fn is_creating(&self) -> bool {
        self.creating.load(Ordering::Relaxed) > 0
    }

    /// Returns the guard of a task whose call was suspended.
    pub(crate) fn resume<'a>(
        &'a self,
        serial: u64,
        tasks: &'a TaskTracker,
    ) -> ProxiedTaskGuard<'a> {
        ProxiedTaskGuard {
            proxied: self,
            serial,
            tasks,
        }
    }

    /// Removes and returns one task, for the caller to cancel.
    pub(crate) fn take(&self, serial: u64) -> Option<ProxiedTask> {
        self.running.lock().remove(&serial)
    }

    /// Removes and returns all tasks, for the caller to cancel.
    pub(crate) fn drain(&self) -> Vec<ProxiedTask> {
        let mut running = self.running.lock();
        running.drain().map(|(_, proxied)| proxied).collect()
    }
}

impl ProxiedTask {
    /// Sends `tasks/cancel`, and waits for the response: dropping the exchange earlier would cancel this request.
    pub(crate) async fn cancel(self) {
        let cannot_cancel = |connection: &Connection| {
            connection.server_profile.era == Era::Legacy
                && !connection
                    .server_profile
                    .declares_task_capability("/cancel")
        };
        if self
            .upstream
            .connection()
            .is_some_and(|connection| cannot_cancel(&connection))
        {
            return debug!(task = &*self.task.id, "the server cannot cancel tasks");
        }
        let target = Target::task_request("tasks/cancel", &self.task.id, &self.task.quoted_id)
            .followed_by_proxy();
        let (caller, client) = (&self.caller, (self.client, &self.caller.profile));
        let build = |connection: &ConnectionUse, _: &Activity| {
            let profile = &connection.server_profile;
            bridge::request(
                next_id(),
                &self.cancel_request,
                &target,
                caller,
                profile,
                None,
            )
        };
        let answer = match self
            .upstream
            .call(&target.method, client, None, None, build)
            .await
        {
            Ok(call) => call
                .sent
                .exchange
                .response()
                .await
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => debug!(
                task = &*self.task.id,
                ok = answer.error().is_none(),
                "cancelled a task"
            ),
            Err(error) => debug!(task = &*self.task.id, error, "could not cancel a task"),
        }
    }
}

/// A task that is followed. Dropping this before the task ends cancels the task, for example when the client
/// cancels the call.
#[derive(Debug)]
pub(crate) struct ProxiedTaskGuard<'a> {
    proxied: &'a ProxiedTasks,
    serial: u64,
    tasks: &'a TaskTracker,
}

impl ProxiedTaskGuard<'_> {
    /// The number of the task in the table.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// Hands the task over to the suspended call that follows it. Returns the task's number.
    pub(crate) fn suspend(self) -> u64 {
        let serial = self.serial;
        std::mem::forget(self);
        serial
    }

    /// Removes the task, which has ended.
    pub(crate) fn finish(self) {
        drop(self.proxied.take(self.serial));
    }
}

impl Drop for ProxiedTaskGuard<'_> {
    fn drop(&mut self) {
        if let Some(proxied) = self.proxied.take(self.serial) {
            self.tasks.spawn(proxied.cancel());
        }
    }
}

/// A call that may create a task.
#[derive(Debug)]
pub(crate) struct TaskCreationGuard<'a>(&'a ProxiedTasks);

impl Drop for TaskCreationGuard<'_> {
    fn drop(&mut self) {
        self.0.creating.fetch_sub(1, Ordering::Relaxed);
    }
}
