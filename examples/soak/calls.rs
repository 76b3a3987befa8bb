//! The book of all calls: what was asked, how often it ran, and what was answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use tokio::sync::oneshot;

use crate::lock;

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// The tool's result, with the number of the call in it.
    Result,
    /// An error of the proxy: its code, and whether the call ran.
    Error(i64, String),
    /// An error that says nothing about that, of the upstream.
    Foreign(i64),
    /// The result of another call.
    Mistaken,
}

/// One call, as far as it has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) idempotent: bool,
    pub(crate) cancelled: bool,
    pub(crate) site: usize,
    /// How often a server began to run it.
    pub(crate) ran: u32,
    pub(crate) answers: Vec<Answer>,
    pub(crate) progress: u32,
    /// Progress without a token for it, or after the answer.
    pub(crate) stray_progress: u32,
}

/// All calls by their numbers. std's Mutex, both times: held for one operation, never across an await.
#[derive(Default)]
pub(crate) struct Book {
    calls: Mutex<BTreeMap<u64, Call>>,
    /// Who waits for an answer.
    waiting: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

impl Book {
    /// Enters a call that is about to be made.
    pub(crate) fn enter(&self, number: u64, call: Call) {
        lock(&self.calls).insert(number, call);
    }

    /// A server begins to run it.
    pub(crate) fn runs(&self, number: u64) {
        self.change(number, |call| call.ran += 1);
    }

    pub(crate) fn change(&self, number: u64, change: impl FnOnce(&mut Call)) {
        change(lock(&self.calls).entry(number).or_default());
    }

    /// Keeps an answer.
    pub(crate) fn answered(&self, number: u64, answer: Answer) {
        self.change(number, |call| call.answers.push(answer));
        if let Some(waiting) = lock(&self.waiting).remove(&number) {
            // Who has stopped waiting needs no word.
            waiting.send(()).ok();
        }
    }

    /// Ends with the next answer to the call with this number; to be called before it is made.
    pub(crate) fn answer_to(&self, number: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(number, sender);
        receiver
    }

    /// Looks at each call.
    pub(crate) fn each(&self, mut look: impl FnMut(u64, &Call)) {
        for (number, call) in &*lock(&self.calls) {
            look(*number, call);
        }
    }

    /// Forgets all calls, which nobody waits for any more.
    pub(crate) fn clear(&self) {
        lock(&self.calls).clear();
    }
}
