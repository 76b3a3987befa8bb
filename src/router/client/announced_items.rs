//! The prompts, resources and templates that the client was sent, by which it is notified of a change.

use std::collections::HashMap;

use crate::protocol::{Item, ItemKind, ItemList};
use crate::sync::Mutex;
use crate::upstream::UpstreamId;

/// The lists that went into the last answers to the client.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedItems {
    /// By [`ItemKind`]; `None` before the first answer, and once the client was notified of a change since.
    sent: Mutex<HashMap<UpstreamId, [Option<ItemList>; 3]>>,
}

impl AnnouncedItems {
    /// Records that the client is sent this list of an upstream.
    pub(crate) fn record_sent(&self, upstream: UpstreamId, kind: ItemKind, list: ItemList) {
        self.sent.lock().entry(upstream).or_default()[kind as usize] = Some(list);
    }

    /// Returns `true` if the client has a list of this kind, right or wrong.
    pub(crate) fn was_sent(&self, upstream: UpstreamId, kind: ItemKind) -> bool {
        let sent = self.sent.lock();
        let lists = sent.get(&upstream);
        lists.is_some_and(|lists| lists[kind as usize].is_some())
    }

    /// Returns `true` if the client has another list than this one. It then counts as notified.
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

    /// Counts the client as notified that these kinds have changed.
    pub(crate) fn mark_notified(&self, upstream: UpstreamId, kinds: &[ItemKind]) {
        if let Some(lists) = self.sent.lock().get_mut(&upstream) {
            for kind in kinds {
                lists[*kind as usize] = None;
            }
        }
    }

    /// Removes an upstream that has ended.
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
    fn a_change_is_found_once_and_only_of_what_was_sent() {
        let (announced, upstream) = (AnnouncedItems::default(), UpstreamId::next());
        let changed =
            |names: &[&str]| announced.take_if_changed(upstream, ItemKind::Prompts, &list(names));
        assert!(!changed(&["a"]), "nothing was sent");
        announced.record_sent(upstream, ItemKind::Prompts, list(&["a", "b"]));
        assert!(announced.was_sent(upstream, ItemKind::Prompts));
        assert!(!announced.was_sent(upstream, ItemKind::Resources));
        assert!(!announced.was_sent(UpstreamId::next(), ItemKind::Prompts));
        assert!(!changed(&["a", "b"]));
        assert!(changed(&["b", "a"]), "the order is seen, too");
        assert!(!changed(&["b", "a"]));
        assert!(!announced.was_sent(upstream, ItemKind::Prompts));
    }

    #[test]
    fn what_the_client_was_notified_of_is_no_change() {
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
