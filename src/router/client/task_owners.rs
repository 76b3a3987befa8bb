//! The upstreams of the client's tasks. An owner is recorded when a task is created. The oldest are evicted when
//! the limit is reached.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::protocol::Era;
use crate::sync::Mutex;
use crate::upstream::UpstreamId;

/// The maximum number of entries of each table. Evicted owners are found by requests to the upstreams.
const MAX_TASKS: usize = 10_000;

/// The longest id that is recorded, in bytes. Without this limit a server could fill the memory.
const MAX_ID: usize = 1024;

/// The owners of tasks, by era. One id may be a task in each era.
#[derive(Debug, Default)]
pub(crate) struct TaskOwners {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    legacy: BoundedMap<UpstreamId>,
    modern: BoundedMap<UpstreamId>,
    /// The tasks that the proxy follows, by upstream and id. The client does not know them.
    proxied: BoundedMap<()>,
}

#[derive(Debug)]
struct BoundedMap<T> {
    entries: HashMap<Arc<str>, T>,
    order: VecDeque<Arc<str>>,
}

impl<T> Default for BoundedMap<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> BoundedMap<T> {
    fn set(&mut self, id: &str, value: T) {
        if id.len() > MAX_ID {
            return;
        }
        if let Some(recorded) = self.entries.get_mut(id) {
            *recorded = value;
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
    fn table(&mut self, era: Era) -> &mut BoundedMap<UpstreamId> {
        match era {
            Era::Legacy => &mut self.legacy,
            Era::Modern => &mut self.modern,
        }
    }
}

impl TaskOwners {
    /// Records the upstream of a task of the client.
    pub(crate) fn record(&self, era: Era, id: &str, upstream: UpstreamId) {
        self.state.lock().table(era).set(id, upstream);
    }

    /// The upstream of a task of the client.
    pub(crate) fn get(&self, era: Era, id: &str) -> Option<UpstreamId> {
        self.state.lock().table(era).entries.get(id).copied()
    }

    /// Records that the proxy follows this task.
    pub(crate) fn record_proxied(&self, upstream: UpstreamId, id: &str) {
        self.state
            .lock()
            .proxied
            .set(&proxied_key(upstream, id), ());
    }

    /// Whether the proxy follows this task, or has followed it.
    pub(crate) fn is_proxied(&self, upstream: UpstreamId, id: &str) -> bool {
        let state = self.state.lock();
        state
            .proxied
            .entries
            .contains_key(&*proxied_key(upstream, id))
    }
}

fn proxied_key(upstream: UpstreamId, id: &str) -> String {
    format!("{upstream} {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_owners_are_evicted_in_each_era_apart() {
        let owners = TaskOwners::default();
        let [one, two, seven] = [(); 3].map(|()| UpstreamId::next());
        owners.record(Era::Modern, "0", seven);
        for number in 0..=MAX_TASKS {
            owners.record(Era::Legacy, &number.to_string(), one);
        }
        owners.record(Era::Legacy, "1", two);
        assert_eq!(owners.get(Era::Legacy, "0"), None);
        assert_eq!(owners.get(Era::Legacy, "1"), Some(two));
        assert_eq!(owners.get(Era::Modern, "0"), Some(seven));
        owners.record(Era::Legacy, &"x".repeat(MAX_ID + 1), one);
        assert_eq!(owners.get(Era::Legacy, &"x".repeat(MAX_ID + 1)), None);
        assert_eq!(owners.get(Era::Legacy, "1"), Some(two));
    }

    #[test]
    fn proxied_tasks_belong_to_one_upstream() {
        let owners = TaskOwners::default();
        let [one, two] = [(); 2].map(|()| UpstreamId::next());
        owners.record_proxied(one, "a");
        assert!(owners.is_proxied(one, "a"));
        assert!(!owners.is_proxied(two, "a"));
        assert_eq!(owners.get(Era::Legacy, "a"), None);
    }
}
