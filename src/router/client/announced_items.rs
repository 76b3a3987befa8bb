//! The listings of prompts, resources and templates that the client was sent, to notify it of changes.

use std::collections::HashMap;

use crate::protocol::{Item, ItemKind, ItemList};
use crate::sync::Mutex;
use crate::upstream::UpstreamId;

/// The lists in the latest responses to the client.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedItems {
    /// By [`ItemKind`]. `None` before the first response, and after a notification of a change.
    sent: Mutex<HashMap<UpstreamId, [Option<ItemList>; 3]>>,
}

impl AnnouncedItems {
    /// Records that the client is sent this list of an upstream.
    pub(crate) fn record_sent(&self, upstream: UpstreamId, kind: ItemKind, list: ItemList) {
        self.sent.lock().entry(upstream).or_default()[kind as usize] = Some(list);
    }

    /// Returns `true` if the client has a list of this kind, current or not.
    pub(crate) fn was_sent(&self, upstream: UpstreamId, kind: ItemKind) -> bool {
        let sent = self.sent.lock();
        let lists = sent.get(&upstream);
        lists.is_some_and(|lists| lists[kind as usize].is_some())
    }

    /// Returns `true` if the client has another list than this one, and records that it is notified.
    pub(crate) fn take_if_changed(
        &self,
        upstream: UpstreamId,
        kind: ItemKind,
        list: &ItemList,
    ) -> bool {
        let mut sent = self.sent.lock();
        let Some(lists) = sent.get_mut(&upstream) else {
            return false;
        };
        let sent = &mut lists[kind as usize];
        let is_changed = sent.as_ref().is_some_and(|sent| {
            let is_same = |(sent, now): (&Item, &Item)| sent.definition == now.definition;
            sent.len() != list.len() || !sent.iter().zip(list.iter()).all(is_same)
        });
        if is_changed {
            *sent = None;
        }
        is_changed
    }

    /// Records that the client is notified of a change of these kinds.
    pub(crate) fn mark_notified(&self, upstream: UpstreamId, kinds: &[ItemKind]) {
        if let Some(lists) = self.sent.lock().get_mut(&upstream) {
            for kind in kinds {
                lists[*kind as usize] = None;
            }
        }
    }

    /// Removes the lists of an upstream that has ended.
    pub(crate) fn remove(&self, upstream: UpstreamId) {
        self.sent.lock().remove(&upstream);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn list(names: &[&str]) -> ItemList {
        let definition = |name: &&str| Bytes::from(format!(r#"{{"name":"{name}"}}"#));
        let items = names.iter().map(definition);
        let items = items.filter_map(|definition| Item::read(definition, ItemKind::Prompts));
        ItemList::new(items.collect())
    }

    #[test]
    fn a_change_of_a_sent_list_is_found_once() {
        let (announced, upstream) = (AnnouncedItems::default(), UpstreamId::next());
        let changed =
            |names: &[&str]| announced.take_if_changed(upstream, ItemKind::Prompts, &list(names));
        assert!(!changed(&["a"]), "nothing was sent");
        announced.record_sent(upstream, ItemKind::Prompts, list(&["a", "b"]));
        assert!(announced.was_sent(upstream, ItemKind::Prompts));
        assert!(!announced.was_sent(upstream, ItemKind::Resources));
        assert!(!announced.was_sent(UpstreamId::next(), ItemKind::Prompts));
        assert!(!changed(&["a", "b"]));
        assert!(changed(&["b", "a"]), "another order is a change");
        assert!(!changed(&["b", "a"]));
        assert!(!announced.was_sent(upstream, ItemKind::Prompts));
    }

    #[test]
    fn no_change_is_found_after_a_notification() {
        let (announced, upstream) = (AnnouncedItems::default(), UpstreamId::next());
        for by_notification in [true, false] {
            announced.record_sent(upstream, ItemKind::Prompts, list(&["a"]));
            match by_notification {
                true => announced.mark_notified(upstream, &[ItemKind::Prompts]),
                false => announced.remove(upstream),
            }
            assert!(!announced.take_if_changed(upstream, ItemKind::Prompts, &list(&[])));
        }
    }
}
