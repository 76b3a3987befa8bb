//! What the supervisor of a session and its jobs work with.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::command::Command;
use super::handle::SessionHandle;
use super::settings::UpstreamSettings;
use crate::protocol::ClientProfile;
use crate::upstream::connection::event_handler::EventHandler;
use crate::upstream::error::TransportError;
use crate::upstream::handshake::Handshake;
use crate::upstream::offers::Offers;
use crate::upstream::subscription::ledger::Subscriptions;
use crate::upstream::transport::refusal_hint::RefusalHint;

/// What the tasks of an upstream are started with.
#[derive(Debug, Clone)]
pub(crate) struct TaskContext {
    pub(crate) events: Arc<dyn EventHandler>,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
}

/// One session, as its supervisor and its jobs see it.
pub(crate) struct SessionContext {
    pub(crate) settings: Arc<UpstreamSettings>,
    pub(crate) handle: Arc<SessionHandle>,
    /// What the main session fills; an extra session has none.
    pub(crate) offers: Option<Arc<Offers>>,
    /// The upstream's in the main session; an extra session has none of these.
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) events: Arc<dyn EventHandler>,
    /// Runs what need not be waited for.
    pub(crate) tasks: TaskTracker,
}

impl SessionContext {
    /// Returns a handshake on behalf of this client.
    pub(crate) fn handshake<'a>(
        &self,
        client_profile: &'a Arc<ClientProfile>,
        generation: u64,
        on_response: &'a (dyn Fn() + Sync),
    ) -> Handshake<'a> {
        Handshake {
            transport: self.settings.config.transport,
            client: client_profile,
            generation,
            on_response,
        }
    }

    /// Has the revision of the server checked, should this failure of our own request put it in doubt: an error
    /// where none was due, or a refusal that reads like another server's.
    pub(crate) fn request_revision_check(&self, failure: &TransportError) {
        let is_error_response = matches!(failure, TransportError::Handshake(_));
        if is_error_response || RefusalHint::from_error(failure) == Some(RefusalHint::OtherEra) {
            self.handle.commands.send(Command::CheckRevision);
        }
    }
}
