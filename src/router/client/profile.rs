//! What the client says of itself: once for its session in the legacy era, with every request in the
//! modern one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::protocol::Caller;
use crate::protocol::caller::named_level;
use crate::protocol::{ClientProfile, Declared};
use crate::protocol::{Era, LogLevel};
use crate::wire::Message;

/// The client, as far as it has spoken.
#[derive(Debug, Default)]
pub(crate) struct Client {
    // std's Mutex: held for a comparison or an assignment, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Arc<ClientProfile>>,
    /// The log level that the session has set.
    level: Option<LogLevel>,
    /// What the last modern request said: most say the same.
    modern: Option<Modern>,
}

#[derive(Debug)]
struct Modern {
    info: Option<Bytes>,
    capabilities: Option<Bytes>,
    identity: Arc<ClientProfile>,
}

impl Client {
    /// The client opens a session by this request.
    pub(crate) fn open_session(&self, initialize: &Message) {
        let session = Arc::new(ClientProfile::of(initialize, Era::Legacy));
        let mut state = self.lock();
        state.session = Some(session);
        state.level = None;
    }

    /// The session wants logs from this level on.
    pub(crate) fn set_level(&self, level: LogLevel) {
        self.lock().level = Some(level);
    }

    /// From which level on the session wants logs; `None` when it did not say.
    pub(crate) fn level(&self) -> Option<LogLevel> {
        self.lock().level
    }

    /// The client of the session; nobody in particular before there is one.
    pub(crate) fn session(&self) -> Arc<ClientProfile> {
        self.has_session().unwrap_or_default()
    }

    /// The client of the session, if it has opened one.
    pub(crate) fn has_session(&self) -> Option<Arc<ClientProfile>> {
        self.lock().session.clone()
    }

    /// Whom a connection that is made now should speak for: the session, or who spoke last.
    pub(crate) fn latest(&self) -> Arc<ClientProfile> {
        let state = self.lock();
        let modern = || state.modern.as_ref().map(|modern| modern.identity.clone());
        state.session.clone().or_else(modern).unwrap_or_default()
    }

    /// Who sends this request.
    pub(crate) fn speaker(&self, request: &Message, era: Era) -> Caller {
        let level = match era {
            Era::Legacy => Ok(self.level()),
            Era::Modern => named_level(request),
        };
        Caller {
            era,
            identity: self.identity(request, era),
            level: level.as_ref().copied().unwrap_or_default(),
            unknown_level: level.err(),
        }
    }

    fn identity(&self, request: &Message, era: Era) -> Arc<ClientProfile> {
        if era == Era::Legacy {
            return self.session();
        }
        let said = Declared::of(request, era);
        let mut state = self.lock();
        if let Some(last) = &state.modern
            && last.said() == said
        {
            return last.identity.clone();
        }
        let identity = Arc::new(ClientProfile::of(request, era));
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
    fn said(&self) -> Declared<'_> {
        Declared {
            client_info: self.info.as_deref(),
            capabilities: self.capabilities.as_deref(),
        }
    }
}
