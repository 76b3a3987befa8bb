//! The tools that one client knows, so that it is notified of changes alone.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::sync::Mutex;

/// The catalogs that the client was sent, or could have been.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedTools {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The catalog that the client has, or was notified of.
    sent: Option<Arc<Catalog>>,
    /// The catalog of the last change: a client that has never listed it may be notified of the next.
    current: Option<Arc<Catalog>>,
}

/// Which parts of a client must be notified that the tools have changed.
pub(crate) struct Recipients {
    /// The legacy session: it has listed other tools.
    pub(crate) session: bool,
    /// The listens: there were other tools before.
    pub(crate) listens: bool,
}

impl AnnouncedTools {
    /// Records that the client is sent this catalog.
    pub(crate) fn record_sent(&self, catalog: &Arc<Catalog>) {
        let mut state = self.state.lock();
        state.sent = Some(catalog.clone());
        state.current = Some(catalog.clone());
    }

    /// Compares the catalog with what the client knows, and records that the client is notified.
    /// `has_session` is whether the client has a legacy session.
    pub(crate) fn record_change(&self, catalog: &Arc<Catalog>, has_session: bool) -> Recipients {
        let mut state = self.state.lock();
        let differs = |known: &Option<Arc<Catalog>>| {
            let other = known.as_ref().filter(|it| !Arc::ptr_eq(it, catalog));
            other.is_some_and(|it| !it.lists_same_tools_as(catalog))
        };
        let recipients = Recipients {
            session: has_session && differs(&state.sent),
            listens: differs(&state.current),
        };
        if recipients.session {
            state.sent = Some(catalog.clone());
        }
        state.current = Some(catalog.clone());
        recipients
    }
}
