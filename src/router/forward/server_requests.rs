//! Requests of upstreams to the client: a legacy client gets them as requests, and its answers go back by
//! themselves. A modern client gets them in the results of its own requests, by `suspend`.

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

/// Passes a legacy upstream's request to the client; its answer goes back by itself. `call` is
/// the one on whose stream it came.
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
        warn!(method = %request.method(), "the client owes too many answers; refusing");
        return send_to_upstream(
            &ctx.gateway,
            connection,
            bridge::too_many_server_requests(request),
        );
    };
    debug!(serial, method = %request.method(), "asking the client");
    let renamed = token.and_then(|token| bridge::with_progress_token(request, &token));
    let request = renamed.as_ref().unwrap_or(request);
    let id = pending.wire_id(serial);
    ctx.send(Line::with_id(request, id.into())).await;
}

/// The id by which an upstream announces that what a person does at a URL is done.
fn elicitation_id(message: &Message) -> Option<JsonKey> {
    let id = message.param("elicitationId")?;
    Some(JsonKey::new(&message.bytes().slice_ref(id.value())))
}

/// Whether a notification is of an elicitation that the client was not asked for.
pub(crate) fn is_unrequested_elicitation(session: &ClientSession, notification: &Message) -> bool {
    let id = elicitation_id(notification);
    notification.method() == "notifications/elicitation/complete"
        && !id.is_some_and(|id| session.server_requests.has_elicitation(&id))
}

/// Passes on a server request that came on a stream of no call: through a call of a modern client if there
/// is one, or to a legacy client in any case. No other client can be asked.
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

/// Answers an upstream for a client that cannot be asked now.
pub(crate) fn decline(gateway: &Gateway, connection: &ConnectionUse, request: &Message) {
    match request
        .id()
        .filter(|_| request.method() == input::ELICITATION)
    {
        // No person is there to be asked, which equals a person's silence.
        Some(id) => {
            let declined = input::input_response(&id, Bytes::from_static(input::CANCELLED_RESULT));
            send_to_upstream(gateway, connection, declined);
        }
        None => reject_server_request(gateway, connection, request),
    }
}

/// Asks the client on behalf of a call: by the text of a request without an id. Dropping the guard before the
/// answer cancels the request at the client; `None` if there are too many.
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

/// Takes the client's answer to a server request.
pub(crate) fn on_response(ctx: &Context, response: &Message) {
    match ctx.session.server_requests.take_answered(response) {
        None => debug!("ignoring a response to what nobody asked"),
        Some(Requester::Call(waiting)) => drop(waiting.send(response.clone())),
        Some(Requester::Upstream { connection, id, .. }) => {
            let body = Line::with_id(response, id.clone()).into_bytes();
            let tasks = &ctx.gateway.tasks;
            tasks.spawn(async move { deliver_answer(&connection, &id, body).await });
        }
    }
}

/// Passes on how far the client is with a server request.
pub(crate) fn on_client_progress(ctx: &Context, notification: &Message) {
    let Some(token) = notification.param("progressToken") else {
        return;
    };
    let key = JsonKey::new(&notification.bytes().slice_ref(token.value()));
    let Some((connection, upstream_token)) = ctx.session.server_requests.progress_target(&key)
    else {
        return debug!("dropping progress under a token that no upstream gave");
    };
    let body = match upstream_token {
        Some(upstream_token) => bridge::with_param(notification, "progressToken", &upstream_token),
        None => notification.bytes().clone(),
    };
    send_to_upstream(&ctx.gateway, &connection, body);
}

/// Passes on that an upstream cancels its request.
pub(crate) async fn on_cancelled_by_upstream(
    ctx: &Context,
    connection: &ConnectionUse,
    notification: &Message,
) {
    let Some(id) = notification.param("requestId") else {
        return;
    };
    let pending = &ctx.session.server_requests;
    for serial in pending.remove_matching(connection, |asked, _| is_same_key(asked, id.value())) {
        let id = pending.wire_id(serial);
        let line = bridge::with_param(notification, "requestId", id.as_bytes());
        ctx.send(Line::whole(line)).await;
    }
}

/// Cancels at the client all that was asked on a lost connection.
pub(crate) fn cancel_requests_of_connection(ctx: &Context, connection: &ConnectionUse) {
    for serial in ctx
        .session
        .server_requests
        .remove_matching(connection, |_, _| true)
    {
        cancel_at_client(ctx, serial, "the connection to the server was lost");
    }
}

/// Cancels at the client what was asked on the stream of a lost call.
pub(crate) fn cancel_requests_of_call(ctx: &Context, connection: &ConnectionUse, upstream_id: u64) {
    let is_of_call = |_: &Bytes, call| call == Some(upstream_id);
    for serial in ctx
        .session
        .server_requests
        .remove_matching(connection, is_of_call)
    {
        cancel_at_client(ctx, serial, "the call that asked was lost");
    }
}

/// Notifies the client that its answer is no longer needed, beside everything else.
fn cancel_at_client(ctx: &Context, serial: u64, reason: &str) {
    let id = ctx.session.server_requests.wire_id(serial);
    let line = cancelled_notification(decode(id.as_bytes()), reason);
    let (line, outbox) = (Line::whole(line), ctx.session.outbox.clone());
    let tasks = &ctx.gateway.tasks;
    tasks.spawn(async move { outbox.send(line).await });
}

/// Sends a notification or an answer to an upstream, beside everything else.
pub(crate) fn send_to_upstream(gateway: &Gateway, connection: &ConnectionUse, body: Bytes) {
    let connection = connection.clone();
    gateway.tasks.spawn(async move {
        if let Err(error) = connection.notify(body).await {
            debug!(%error, "could not answer the upstream");
        }
    });
}

/// Refuses a server request.
pub(crate) fn reject_server_request(
    gateway: &Gateway,
    connection: &ConnectionUse,
    request: &Message,
) {
    debug!(method = %request.method(), "refusing what the upstream asks");
    send_to_upstream(gateway, connection, default_response(request));
}

/// Sends an upstream the client's answer to its request. An answer that the upstream refuses is followed by
/// an error: the upstream would wait for another answer.
pub(crate) async fn deliver_answer(
    connection: &Connection,
    id: &[u8],
    answer: Bytes,
) -> Result<(), TransportError> {
    match connection.notify(answer).await {
        Err(TransportError::Status { status, .. }) if status.is_client_error() => {
            debug!(%status, "the upstream refused the client's answer");
            let text = "the client's answer was refused";
            let error = Line::error(id, code::INTERNAL_ERROR, text, &serde_json::Value::Null);
            connection.notify(error.into_bytes()).await
        }
        other => other.inspect_err(|error| debug!(%error, "could not answer the upstream")),
    }
}

/// A request on behalf of a call that the client has not answered.
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
            cancel_at_client(&self.ctx, self.serial, "the call that asked has ended");
        }
    }
}
