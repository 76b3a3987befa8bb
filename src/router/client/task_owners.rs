//! Whose a task is: learned when it is created, forgotten when too many came after it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::Era;
use crate::upstream::UpstreamId;

/// How many tasks are remembered of a kind. The oldest go first: their owners are found by asking.
const MAX_TASKS: usize = 10_000;

/// The longest id that is remembered, in bytes, so that no server fills our memory.
const MAX_ID: usize = 1024;

/// The owners of tasks, by era: one id may mean two tasks there.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    // std's Mutex: held for a few map operations, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    legacy: Table<UpstreamId>,
    modern: Table<UpstreamId>,
    /// The tasks that the client does not know, by their upstream as well.
    ours: Table<()>,
}

#[derive(Debug)]
struct Table<T> {
    entries: HashMap<Arc<str>, T>,
    order: VecDeque<Arc<str>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Table<T> {
    fn set(&mut self, id: &str, value: T) {
        if id.len() > MAX_ID {
            return;
        }
        if let Some(known) = self.entries.get_mut(id) {
            *known = value;
            return;
        }
        if self.order.len() == MAX_TASKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        let id: Arc<str> = id.into();
        self.order.push_back(id.clone());
        self.entries.insert(id, value);
    }
}

impl State {
    fn of(&mut self, era: Era) -> &mut Table<UpstreamId> {
        match era {
            Era::Legacy => &mut self.legacy,
            Era::Modern => &mut self.modern,
        }
    }
}

impl Owners {
    /// Notes whose the client's task is.
    pub(crate) fn learn(&self, era: Era, id: &str, upstream: UpstreamId) {
        self.state().of(era).set(id, upstream);
    }

    /// Whose it is.
    pub(crate) fn get(&self, era: Era, id: &str) -> Option<UpstreamId> {
        self.state().of(era).entries.get(id).copied()
    }

    /// Notes that it is we who follow this task.
    pub(crate) fn follow(&self, upstream: UpstreamId, id: &str) {
        self.state().ours.set(&ours(upstream, id), ());
    }

    /// Whether it is, or was, we who follow this task.
    pub(crate) fn is_followed(&self, upstream: UpstreamId, id: &str) -> bool {
        self.state().ours.entries.contains_key(&*ours(upstream, id))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ours(upstream: UpstreamId, id: &str) -> String {
    format!("{upstream} {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_tasks_are_forgotten_and_eras_are_apart() {
        let owners = Owners::default();
        let [one, two, seven] = [(); 3].map(|()| UpstreamId::next());
        owners.learn(Era::Modern, "0", seven);
        for number in 0..=MAX_TASKS {
            owners.learn(Era::Legacy, &number.to_string(), one);
        }
        owners.learn(Era::Legacy, "1", two);
        assert_eq!(owners.get(Era::Legacy, "0"), None);
        assert_eq!(owners.get(Era::Legacy, "1"), Some(two));
        assert_eq!(owners.get(Era::Modern, "0"), Some(seven));
        owners.learn(Era::Legacy, &"x".repeat(MAX_ID + 1), one);
        assert_eq!(owners.get(Era::Legacy, &"x".repeat(MAX_ID + 1)), None);
        assert_eq!(owners.get(Era::Legacy, "1"), Some(two));
    }

    #[test]
    fn our_tasks_are_those_of_one_upstream() {
        let owners = Owners::default();
        let [one, two] = [(); 2].map(|()| UpstreamId::next());
        owners.follow(one, "a");
        assert!(owners.is_followed(one, "a"));
        assert!(!owners.is_followed(two, "a"));
        assert_eq!(owners.get(Era::Legacy, "a"), None);
    }
}
