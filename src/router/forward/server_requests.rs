//! Server requests. A legacy client receives them as requests, and its responses go back to the upstream. A
//! modern client receives them in the results of its own requests, by `suspend`.

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::bridge::input;
use crate::protocol::json_key::{JsonKey, is_same_key, progress_token};
use crate::protocol::reply::{cancelled_notification, default_response};
use crate::router::client::ClientSession;
use crate::router::client::server_requests::{Registered, Requester};
use crate::router::context::Context;
use crate::router::context::gateway::Gateway;
use crate::upstream::{Connection, ConnectionUse, TransportError};
use crate::wire::outgoing::code;
use crate::wire::splice::decode;
use crate::wire::{Line, Message};

/// Forwards a legacy upstream's request to the client. `call` is the call on whose stream the request came.
/// [`on_response`] returns the client's response.
pub(crate) async fn forward_server_request(
    ctx: &Context,
    connection: &ConnectionUse,
    call: Option<u64>,
    request: &Message,
) {
    let Some(id) = request.id() else { return };
    let requester = Requester::Upstream {
        connection: connection.clone(),
        id,
        call,
    };
    let pending = &ctx.session.server_requests;
    if let Some(elicitation) = elicitation_id(request) {
        pending.record_elicitation(elicitation);
    }
    let Some(Registered { serial, token }) = pending.register(requester, progress_token(request))
    else {
        warn!(method = %request.method(), "too many unanswered server requests; rejecting");
        return send_to_upstream(
            &ctx.gateway,
            connection,
            bridge::too_many_server_requests(request),
        );
    };
    debug!(serial, method = %request.method(), "forwarding a server request");
    let renamed = token.and_then(|token| bridge::with_progress_token(request, &token));
    let request = renamed.as_ref().unwrap_or(request);
    let id = pending.wire_id(serial);
    ctx.send(Line::with_id(request, id.into())).await;
}

/// Returns the `elicitationId`, by which an upstream reports that the user has completed a URL elicitation.
fn elicitation_id(message: &Message) -> Option<JsonKey> {
    let id = message.param("elicitationId")?;
    Some(JsonKey::new(&message.bytes().slice_ref(id.value())))
}

/// Returns `true` if the notification completes an elicitation that was not sent to this client.
pub(crate) fn is_unrequested_elicitation(session: &ClientSession, notification: &Message) -> bool {
    let id = elicitation_id(notification);
    notification.method() == "notifications/elicitation/complete"
        && !id.is_some_and(|id| session.server_requests.has_elicitation(&id))
}

/// Handles a server request that came on a stream of no call. Delivers it to a call of a modern client, or
/// forwards it to a legacy client. Declines it if the client has neither.
pub(crate) async fn on_server_request(ctx: Context, connection: ConnectionUse, request: Message) {
    let request = match connection
        .client_profile
        .accepts_server_request(&request, Era::Modern)
    {
        true => connection.inboxes.deliver(request),
        false => Some(request),
    };
    let Some(request) = request else { return };
    let session = &ctx.session;
    if session.is_initialized() && connection.serves(&session.profiles.session_or_neutral()) {
        return forward_server_request(&ctx, &connection, None, &request).await;
    }
    decline(&ctx.gateway, &connection, &request);
}

/// Answers a server request for a client that cannot receive it now.
pub(crate) fn decline(gateway: &Gateway, connection: &ConnectionUse, request: &Message) {
    match request
        .id()
        .filter(|_| request.method() == input::ELICITATION)
    {
        // The same result as for a user who does not answer.
        Some(id) => {
            let declined = input::input_response(&id, Bytes::from_static(input::CANCELLED_RESULT));
            send_to_upstream(gateway, connection, declined);
        }
        None => reject_server_request(gateway, connection, request),
    }
}

/// Sends the client a request on behalf of a call. `request` builds the message with the given id. Dropping the
/// guard before the answer cancels the request at the client. `None` if the limit is reached.
pub(crate) async fn request_for_call(
    ctx: &Context,
    request: impl FnOnce(&str) -> Bytes,
) -> Option<PendingGuard> {
    let (sender, answer) = oneshot::channel();
    let pending = &ctx.session.server_requests;
    let Registered { serial, .. } = pending.register(Requester::Call(sender), None)?;
    let guard = PendingGuard {
        ctx: ctx.clone(),
        serial,
        answer,
    };
    let id = pending.wire_id(serial);
    ctx.send(Line::whole(request(&id))).await;
    Some(guard)
}

/// Returns the client's response to the sender of the server request.
pub(crate) fn on_response(ctx: &Context, response: &Message) {
    match ctx.session.server_requests.take_answered(response) {
        None => debug!("ignoring a response to an unknown request"),
        Some(Requester::Call(sender)) => drop(sender.send(response.clone())),
        Some(Requester::Upstream { connection, id, .. }) => {
            let body = Line::with_id(response, id.clone()).into_bytes();
            let tasks = &ctx.gateway.tasks;
            tasks.spawn(async move { deliver_answer(&connection, &id, body).await });
        }
    }
}

/// Forwards the client's progress with a server request.
pub(crate) fn on_client_progress(ctx: &Context, notification: &Message) {
    let Some(token) = notification.param("progressToken") else {
        return;
    };
    let key = JsonKey::new(&notification.bytes().slice_ref(token.value()));
    let Some((connection, upstream_token)) = ctx.session.server_requests.progress_target(&key)
    else {
        return debug!("dropping progress under an unknown token");
    };
    let body = match upstream_token {
        Some(upstream_token) => bridge::with_param(notification, "progressToken", &upstream_token),
        None => notification.bytes().clone(),
    };
    send_to_upstream(&ctx.gateway, &connection, body);
}

/// Forwards an upstream's cancellation of its request.
pub(crate) async fn on_cancelled_by_upstream(
    ctx: &Context,
    connection: &ConnectionUse,
    notification: &Message,
) {
    let Some(id) = notification.param("requestId") else {
        return;
    };
    let pending = &ctx.session.server_requests;
    for serial in pending.remove_matching(connection, |request_id, _| {
        is_same_key(request_id, id.value())
    }) {
        let id = pending.wire_id(serial);
        let line = bridge::with_param(notification, "requestId", id.as_bytes());
        ctx.send(Line::whole(line)).await;
    }
}

/// Cancels at the client all server requests of a lost connection.
pub(crate) fn cancel_requests_of_connection(ctx: &Context, connection: &ConnectionUse) {
    for serial in ctx
        .session
        .server_requests
        .remove_matching(connection, |_, _| true)
    {
        cancel_at_client(ctx, serial, "the connection to the server was lost");
    }
}

/// Cancels at the client the server requests that came on the stream of a failed call.
pub(crate) fn cancel_requests_of_call(ctx: &Context, connection: &ConnectionUse, upstream_id: u64) {
    let is_of_call = |_: &Bytes, call| call == Some(upstream_id);
    for serial in ctx
        .session
        .server_requests
        .remove_matching(connection, is_of_call)
    {
        cancel_at_client(ctx, serial, "the call that sent the request has failed");
    }
}

/// Cancels a server request at the client, in a task of its own.
fn cancel_at_client(ctx: &Context, serial: u64, reason: &str) {
    let id = ctx.session.server_requests.wire_id(serial);
    let line = cancelled_notification(decode(id.as_bytes()), reason);
    let (line, outbox) = (Line::whole(line), ctx.session.outbox.clone());
    let tasks = &ctx.gateway.tasks;
    tasks.spawn(async move { outbox.send(line).await });
}

/// Sends a notification or response to an upstream, in a task of its own.
pub(crate) fn send_to_upstream(gateway: &Gateway, connection: &ConnectionUse, body: Bytes) {
    let connection = connection.clone();
    gateway.tasks.spawn(async move {
        if let Err(error) = connection.notify(body).await {
            debug!(%error, "could not send to the upstream");
        }
    });
}

/// Rejects a server request that the client has not declared.
pub(crate) fn reject_server_request(
    gateway: &Gateway,
    connection: &ConnectionUse,
    request: &Message,
) {
    debug!(method = %request.method(), "rejecting a server request");
    send_to_upstream(gateway, connection, default_response(request));
}

/// Sends the client's response to the upstream. If the upstream rejects the response, sends an error, as the
/// upstream would otherwise wait for another response.
pub(crate) async fn deliver_answer(
    connection: &Connection,
    id: &[u8],
    answer: Bytes,
) -> Result<(), TransportError> {
    match connection.notify(answer).await {
        Err(TransportError::Status { status, .. }) if status.is_client_error() => {
            debug!(%status, "the upstream rejected the client's response");
            let text = "the client's response was rejected";
            let error = Line::error(id, code::INTERNAL_ERROR, text, &serde_json::Value::Null);
            connection.notify(error.into_bytes()).await
        }
        other => other.inspect_err(|error| debug!(%error, "could not send to the upstream")),
    }
}

/// An unanswered request to the client on behalf of a call.
#[derive(Debug)]
pub(crate) struct PendingGuard {
    ctx: Context,
    serial: u64,
    answer: oneshot::Receiver<Message>,
}

impl PendingGuard {
    /// Waits for the client's response.
    pub(crate) async fn answer(mut self) -> Option<Message> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for PendingGuard {
    fn drop(&mut self) {
        let pending = &self.ctx.session.server_requests;
        if pending.take(self.serial).is_some() {
            cancel_at_client(
                &self.ctx,
                self.serial,
                "the call that sent the request has ended",
            );
        }
    }
}
