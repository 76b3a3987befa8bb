//! The client's declared profiles: one for the session in the legacy era, one with every request in the modern
//! era.

use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::caller::requested_log_level;
use crate::protocol::{Caller, ClientDeclaration, ClientProfile, Era, LogLevel};
use crate::sync::Mutex;
use crate::wire::Message;

/// The profiles that one client has declared.
#[derive(Debug, Default)]
pub(crate) struct ClientProfiles {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The profile of the legacy session.
    session: Option<Arc<ClientProfile>>,
    /// The log level of the session.
    level: Option<LogLevel>,
    /// The profile of the latest modern request. Most requests declare the same profile.
    modern: Option<ModernProfile>,
}

#[derive(Debug)]
struct ModernProfile {
    info: Option<Bytes>,
    capabilities: Option<Bytes>,
    profile: Arc<ClientProfile>,
}

impl ClientProfiles {
    /// Opens the session that this `initialize` requests, and returns its profile.
    pub(crate) fn open_session(&self, initialize: &Message) -> Arc<ClientProfile> {
        let session = Arc::new(ClientProfile::from_request(initialize, Era::Legacy));
        let mut state = self.state.lock();
        state.session = Some(session.clone());
        state.level = None;
        session
    }

    /// Sets the log level of the session.
    pub(crate) fn set_level(&self, level: LogLevel) {
        self.state.lock().level = Some(level);
    }

    /// The log level of the session; `None` if the client has set none.
    pub(crate) fn level(&self) -> Option<LogLevel> {
        self.state.lock().level
    }

    /// The profile of the session. A neutral profile before the client has opened a session.
    pub(crate) fn session_or_neutral(&self) -> Arc<ClientProfile> {
        self.session().unwrap_or_default()
    }

    /// The profile of the session, if the client has opened one.
    pub(crate) fn session(&self) -> Option<Arc<ClientProfile>> {
        self.state.lock().session.clone()
    }

    /// The profile for a new connection: the session's, or that of the latest modern request.
    pub(crate) fn latest(&self) -> Arc<ClientProfile> {
        let state = self.state.lock();
        let modern = || state.modern.as_ref().map(|modern| modern.profile.clone());
        state.session.clone().or_else(modern).unwrap_or_default()
    }

    /// Returns the caller of this request.
    pub(crate) fn caller_of(&self, request: &Message, era: Era) -> Caller {
        let level = match era {
            Era::Legacy => Ok(self.level()),
            Era::Modern => requested_log_level(request),
        };
        Caller {
            era,
            profile: self.profile_of(request, era),
            log_level: level.as_ref().copied().unwrap_or_default(),
            unknown_log_level: level.err(),
        }
    }

    fn profile_of(&self, request: &Message, era: Era) -> Arc<ClientProfile> {
        if era == Era::Legacy {
            return self.session_or_neutral();
        }
        let declared = ClientDeclaration::from_request(request, era);
        let mut state = self.state.lock();
        if let Some(last) = &state.modern
            && last.declared() == declared
        {
            return last.profile.clone();
        }
        let profile = Arc::new(ClientProfile::from_request(request, era));
        state.modern = Some(ModernProfile {
            info: declared.client_info.map(Bytes::copy_from_slice),
            capabilities: declared.capabilities.map(Bytes::copy_from_slice),
            profile: profile.clone(),
        });
        profile
    }
}

impl ModernProfile {
    fn declared(&self) -> ClientDeclaration<'_> {
        ClientDeclaration {
            client_info: self.info.as_deref(),
            capabilities: self.capabilities.as_deref(),
        }
    }
}
