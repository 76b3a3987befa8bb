//! A request that was sent to an upstream and has no response.

use bytes::Bytes;

use super::request::ClientRequest;
use crate::protocol::json_key::is_same_key;
use crate::upstream::{
    Activity, Call, CallPermit, ConnectionUse, Exchange, Inbox, LogDemandGuard, SentRequest,
    TransportError, Upstream, UpstreamId,
};
use crate::wire::Message;

/// The connection on which a call was sent, and the id of the call there.
pub(crate) type SentCall = (ConnectionUse, u64);

/// A request at an upstream. Dropping it closes its stream.
#[derive(Debug)]
pub(crate) struct UpstreamCall {
    exchange: Exchange,
    pub(crate) connection: ConnectionUse,
    pub(crate) upstream: UpstreamId,
    /// The id of the request at the upstream.
    pub(crate) upstream_id: u64,
    /// The token under which the upstream sends progress.
    pub(crate) progress_token: Option<Bytes>,
    /// Receives the upstream's requests that arrive on other streams.
    inbox: Option<Inbox>,
    /// Keeps the upstream logging for this call.
    pub(crate) log_demand: Option<LogDemandGuard>,
    /// Concurrency permit. Released while the call waits for user input.
    pub(crate) permit: Option<CallPermit>,
    /// The time of the call's last activity.
    pub(crate) activity: Activity,
    /// Whether the client has received a message about the call.
    pub(crate) client_notified: bool,
}

/// The event that ends following a call.
pub(crate) enum CallEvent {
    /// The response, as the upstream wrote it.
    Response(Message),
    /// A server request. This client can receive it only in the result of its own request.
    ServerRequest(Message),
}

impl UpstreamCall {
    pub(crate) fn new(upstream: &Upstream, token: Option<Bytes>, call: Call) -> Self {
        let Call {
            sent,
            log_demand: logs,
            permit,
        } = call;
        let SentRequest {
            exchange,
            inbox,
            connection,
            activity,
        } = sent;
        Self {
            progress_token: token,
            upstream_id: exchange.id(),
            exchange,
            inbox,
            connection,
            log_demand: logs,
            permit,
            activity,
            upstream: upstream.id(),
            client_notified: false,
        }
    }

    /// Waits for the next message of the upstream. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Message, TransportError> {
        match &mut self.inbox {
            None => self.exchange.next().await,
            // The inbox first: after the response, no server request is read.
            Some(inbox) => tokio::select! {
                biased;
                server_request = inbox.next() => Ok(server_request),
                received = self.exchange.next() => received,
            },
        }
    }

    /// Returns the token under which the upstream sends progress, and the token of this request, if they differ.
    pub(crate) fn renamed_token<'a>(
        &'a self,
        request: &'a ClientRequest,
    ) -> Option<(&'a Bytes, &'a Bytes)> {
        let (upstream_token, client_token) = self
            .progress_token
            .as_ref()
            .zip(request.progress_token.as_ref())?;
        (!is_same_key(upstream_token, client_token)).then_some((upstream_token, client_token))
    }

    /// Drops the inbox: the call receives no more server requests from other streams.
    pub(crate) fn stop_inbox(&mut self) {
        self.inbox = None;
    }
}
