//! The catalogs that one client was sent, so that it is notified only of changes.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::sync::Mutex;

/// The latest catalogs for one client.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedTools {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The catalog that the client was sent, or was notified of.
    sent: Option<Arc<Catalog>>,
    /// The catalog of the latest change. A listen is notified of the next one, even if the client never listed
    /// tools.
    current: Option<Arc<Catalog>>,
}

/// The recipients of a change notification at one client.
pub(crate) struct Recipients {
    /// The legacy session. It has listed other tools.
    pub(crate) session: bool,
    /// The listens. The latest change had other tools.
    pub(crate) listens: bool,
}

impl AnnouncedTools {
    /// Records that the client is sent this catalog.
    pub(crate) fn record_sent(&self, catalog: &Arc<Catalog>) {
        let mut state = self.state.lock();
        state.sent = Some(catalog.clone());
        state.current = Some(catalog.clone());
    }

    /// Compares the catalog with the client's, and records that the client is notified. `has_session` is whether
    /// the client has a legacy session.
    pub(crate) fn record_change(&self, catalog: &Arc<Catalog>, has_session: bool) -> Recipients {
        let mut state = self.state.lock();
        let differs = |sent: &Option<Arc<Catalog>>| {
            let other = sent.as_ref().filter(|it| !Arc::ptr_eq(it, catalog));
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
