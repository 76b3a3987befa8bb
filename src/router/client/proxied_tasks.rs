//! Tasks that we follow for a client that knows none. Nobody else could stop one: when the call behind
//! it goes, for whatever reason, `tasks/cancel` is sent (a cancellation of its requests would not end
//! it: MCP 2025-11-25 § Cancellation, SEP-2663 § Task Cancellation).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::bridge::target::Target;
use crate::protocol::caller::Caller;
use crate::protocol::task::Task;
use crate::protocol::tasks_extension;
use crate::router::call::request::Relayed;
use crate::upstream::{Activity, Connection, Upstream, next_id};
use crate::wire::Message;

/// All tasks that we follow now.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    // std's Mutex: held for a map operation, never across an await.
    running: Mutex<HashMap<u64, Errand>>,
    next: AtomicU64,
    /// How many calls are under way that will become tasks of ours.
    creating: AtomicUsize,
}

/// What it takes to cancel one.
#[derive(Debug)]
pub(crate) struct Errand {
    upstream: Upstream,
    task: Task,
    /// `tasks/cancel`, as the client would ask for it.
    cancel: Message,
    speaker: Caller,
}

impl Errand {
    /// Asks the upstream to stop the task. The answer is waited for: closing the connection before
    /// would take the request back.
    pub(crate) async fn cancel(self) {
        let cannot = |live: &Connection| {
            live.profile.era == Era::Legacy && !live.profile.declares_of_tasks("/cancel")
        };
        if self.upstream.ready().is_some_and(|live| cannot(&live)) {
            return debug!(task = &*self.task.id, "nobody can cancel this task");
        }
        let target = Target::task("tasks/cancel", &self.task.id, &self.task.quoted).followed();
        let speaker = &self.speaker;
        let build = |live: &Arc<Connection>, _: &Activity| {
            let profile = &live.profile;
            bridge::request(next_id(), &self.cancel, &target, speaker, profile, None)
        };
        let answer = match self
            .upstream
            .call(&target.method, &speaker.identity, None, build)
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

impl Errands {
    /// Takes a task on, to be cancelled unless what comes back is told that it has ended.
    pub(crate) fn begin<'a>(
        &'a self,
        call: &Relayed,
        upstream: &Upstream,
        task: &Task,
        tasks: &'a TaskTracker,
    ) -> Running<'a> {
        let serial = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(cancel) =
            tasks_extension::about(&call.message, "tasks/cancel", &task.quoted, None)
        {
            let errand = Errand {
                upstream: upstream.clone(),
                task: task.clone(),
                cancel,
                speaker: call.speaker.clone(),
            };
            self.running().insert(serial, errand);
        }
        Running {
            errands: self,
            serial,
            tasks,
        }
    }

    /// Notes that a call is about to become a task of ours.
    pub(crate) fn create(&self) -> Creating<'_> {
        self.creating.fetch_add(1, Ordering::Relaxed);
        Creating(self)
    }

    /// Whether a task that nobody knows may be one of ours.
    pub(crate) fn is_creating(&self) -> bool {
        self.creating.load(Ordering::Relaxed) > 0
    }

    /// Goes on with a task whose call was parked.
    pub(crate) fn resume<'a>(&'a self, serial: u64, tasks: &'a TaskTracker) -> Running<'a> {
        Running {
            errands: self,
            serial,
            tasks,
        }
    }

    /// One of them, to be cancelled by whoever asks.
    pub(crate) fn take(&self, serial: u64) -> Option<Errand> {
        self.running().remove(&serial)
    }

    /// All of them, to be cancelled by whoever asks.
    pub(crate) fn drain(&self) -> Vec<Errand> {
        self.running().drain().map(|(_, errand)| errand).collect()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u64, Errand>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that is being followed. Dropped before its end, as when the client cancels the call,
/// it is cancelled.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    errands: &'a Errands,
    serial: u64,
    tasks: &'a TaskTracker,
}

impl Running<'_> {
    /// By which it is known.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// Its call is parked: it is left to who goes on with that. By what it is known then comes back.
    pub(crate) fn parked(self) -> u64 {
        let serial = self.serial;
        std::mem::forget(self);
        serial
    }

    /// The task has ended by itself.
    pub(crate) fn ended(self) {
        self.errands.running().remove(&self.serial);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(errand) = self.errands.running().remove(&self.serial) {
            self.tasks.spawn(errand.cancel());
        }
    }
}

/// A call that is about to become a task.
#[derive(Debug)]
pub(crate) struct Creating<'a>(&'a Errands);

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        self.0.creating.fetch_sub(1, Ordering::Relaxed);
    }
}
