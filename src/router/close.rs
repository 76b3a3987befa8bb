//! Closes a client's session: cancels its requests and ends its subscriptions.

use futures_util::future::join_all;
use serde_json::Value;

use super::client::proxied_tasks::ProxiedTask;
use super::context::Context;
use super::methods::listen::end_listens;
use crate::protocol::reply::cancelled_notification;
use crate::wire::Line;
use crate::wire::outgoing::code;

/// The reason that upstreams receive with each cancellation.
const REASON: &str = "the client has left";

/// Cancels the client's tasks, suspended calls and requests at their upstreams, and ends its listens.
pub(crate) async fn end_requests(ctx: &Context) {
    let session = &ctx.session;
    // Before the calls are aborted: a dropped call would cancel its task too late.
    let tasks = session.proxied_tasks.drain().into_iter();
    let tasks = join_all(tasks.map(ProxiedTask::cancel));
    let listens = end_listens(session, session.subscriptions.listens.close_all());
    let open = session.in_flight.abort_all().into_iter();
    let cancellations =
        open.chain(session.suspended_calls.clear())
            .map(|(connection, upstream_id)| async move {
                let _ = connection
                    .notify(cancelled_notification(upstream_id, REASON))
                    .await;
            });
    let cancellations = join_all(cancellations);
    tokio::join!(cancellations, tasks, listens);
}

/// Closes one client's session while the process goes on. Ends its requests, and answers open server requests
/// with an error.
pub(crate) async fn close(ctx: &Context) {
    let session = &ctx.session;
    session.subscriptions.resources.clear();
    let unanswered = session.server_requests.drain().into_iter();
    let unanswered = unanswered.map(|(connection, id)| async move {
        let error = Line::error(&id, code::INTERNAL_ERROR, REASON, &Value::Null);
        let _ = connection.notify(error.into_bytes()).await;
    });
    tokio::join!(end_requests(ctx), join_all(unanswered));
}
