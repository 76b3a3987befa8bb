//! The context of a session's supervisor and its jobs.

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

/// The arguments that an upstream's tasks are started with.
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
    /// The offers that the main session fills; `None` for an extra session.
    pub(crate) offers: Option<Arc<Offers>>,
    /// The upstream's subscriptions for the main session; always empty for an extra session.
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) events: Arc<dyn EventHandler>,
    /// Tracks background tasks.
    pub(crate) tasks: TaskTracker,
}

impl SessionContext {
    /// Creates a handshake on behalf of this client.
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

    /// Requests a revision check if a failure suggests another server. Such failures are an unexpected error
    /// response, or a refusal in the form of another era.
    pub(crate) fn request_revision_check(&self, failure: &TransportError) {
        let is_error_response = matches!(failure, TransportError::Handshake(_));
        if is_error_response || RefusalHint::from_error(failure) == Some(RefusalHint::OtherEra) {
            self.handle.commands.send(Command::CheckRevision);
        }
    }
}
