//! What the client says of itself: once for its session in the legacy era, with every request in the
//! modern one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::upstream::{Identity, Said};
use crate::wire::{Era, Message};

/// Who makes a request, and in which era's words.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    pub(super) era: Era,
    pub(super) identity: Arc<Identity>,
}

/// The client, as far as it has spoken.
#[derive(Debug, Default)]
pub(super) struct Client {
    // std's Mutex: held for a comparison or an assignment, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Arc<Identity>>,
    /// What the last modern request said: most say the same.
    modern: Option<Modern>,
}

#[derive(Debug)]
struct Modern {
    info: Option<Bytes>,
    capabilities: Option<Bytes>,
    identity: Arc<Identity>,
}

impl Client {
    /// The client opens a session by this request.
    pub(super) fn open_session(&self, initialize: &Message) {
        self.lock().session = Some(Arc::new(Identity::of(initialize, Era::Legacy)));
    }

    /// The client of the session; nobody in particular before there is one.
    pub(super) fn session(&self) -> Arc<Identity> {
        self.has_session().unwrap_or_default()
    }

    /// The client of the session, if it has opened one.
    pub(super) fn has_session(&self) -> Option<Arc<Identity>> {
        self.lock().session.clone()
    }

    /// Who sends this request.
    pub(super) fn speaker(&self, request: &Message, era: Era) -> Speaker {
        let identity = self.identity(request, era);
        Speaker { era, identity }
    }

    fn identity(&self, request: &Message, era: Era) -> Arc<Identity> {
        if era == Era::Legacy {
            return self.session();
        }
        let said = Said::of(request, era);
        let mut state = self.lock();
        if let Some(last) = &state.modern
            && last.said() == said
        {
            return last.identity.clone();
        }
        let identity = Arc::new(Identity::of(request, era));
        state.modern = Some(Modern {
            info: said.client_info.map(Bytes::copy_from_slice),
            capabilities: said.capabilities.map(Bytes::copy_from_slice),
            identity: identity.clone(),
        });
        identity
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Modern {
    fn said(&self) -> Said<'_> {
        Said {
            client_info: self.info.as_deref(),
            capabilities: self.capabilities.as_deref(),
        }
    }
}
