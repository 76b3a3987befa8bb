//! The ledger of all calls: how often each ran, and its outcomes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use tokio::sync::oneshot;

use crate::lock;

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// The tool's result, with the number of the call.
    Result,
    /// An error of the proxy: its code, and whether the call ran.
    Error(i64, String),
    /// An error of the upstream, without that information.
    UpstreamError(i64),
    /// The result of another call.
    ResultOfOtherCall,
}

/// The state of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) idempotent: bool,
    pub(crate) cancelled: bool,
    pub(crate) site: usize,
    /// How often a server started to run the call.
    pub(crate) ran: u32,
    pub(crate) answers: Vec<Answer>,
    pub(crate) progress: u32,
    /// Progress without a progress token, or after the response.
    pub(crate) stray_progress: u32,
}

/// All calls by number. These are std's Mutex: held for one operation, never across an await.
#[derive(Default)]
pub(crate) struct CallLedger {
    calls: Mutex<BTreeMap<u64, Call>>,
    /// Senders that report a response to the waiting task.
    waiting: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

impl CallLedger {
    /// Registers a call before it is sent.
    pub(crate) fn register(&self, number: u64, call: Call) {
        lock(&self.calls).insert(number, call);
    }

    /// Records that a server has started to run the call.
    pub(crate) fn record_run(&self, number: u64) {
        self.change(number, |call| call.ran += 1);
    }

    pub(crate) fn change(&self, number: u64, change: impl FnOnce(&mut Call)) {
        change(lock(&self.calls).entry(number).or_default());
    }

    /// Records an outcome.
    pub(crate) fn record_answer(&self, number: u64, answer: Answer) {
        self.change(number, |call| call.answers.push(answer));
        if let Some(waiting) = lock(&self.waiting).remove(&number) {
            // Fails only if the task no longer waits.
            waiting.send(()).ok();
        }
    }

    /// Resolves with the next response to this call. Must be called before the call is sent.
    pub(crate) fn answer_to(&self, number: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(number, sender);
        receiver
    }

    /// Runs `look` for each call.
    pub(crate) fn for_each(&self, mut look: impl FnMut(u64, &Call)) {
        for (number, call) in &*lock(&self.calls) {
            look(*number, call);
        }
    }

    /// Removes all calls. No task may be waiting for one.
    pub(crate) fn clear(&self) {
        lock(&self.calls).clear();
    }
}
