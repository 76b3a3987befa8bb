//! Sends one request on a connection.

use tracing::debug;

use crate::net::ConnectTracker;
use crate::protocol::reply::cancelled_notification;
use crate::protocol::{Request, ServerRequests};
use crate::upstream::connection::ConnectionUse;
use crate::upstream::connection::inbox::Inbox;
use crate::upstream::error::TransportError;
use crate::upstream::flow::deadline::Activity;
use crate::upstream::flow::request_context::RequestContext;
use crate::upstream::session::pool::SessionPool;
use crate::upstream::transport::exchange::Exchange;
use crate::upstream::transport::response_head::ResponseHead;

/// A request that was sent.
#[derive(Debug)]
pub struct SentRequest {
    /// Reads the response.
    pub exchange: Exchange,
    /// Receives server requests from other streams, if the client accepts them only in the result.
    pub inbox: Option<Inbox>,
    /// The connection that the request was sent on.
    pub connection: ConnectionUse,
    /// The activity that the deadlines of the request count from.
    pub activity: Activity,
}

/// Sends a request. If sending times out, cancels the request (MCP 2025-11-25 § Lifecycle, Timeouts). A modern
/// server sees its stream close instead.
pub(crate) async fn send(
    pool: &SessionPool,
    connection: &ConnectionUse,
    request: Request,
    context: RequestContext,
) -> Result<SentRequest, TransportError> {
    let id = request.id;
    let sent = send_and_wait(connection, request, context).await;
    if matches!(&sent, Err(cause) if cause.is_timeout()) {
        let connection = connection.clone();
        pool.spawn(async move {
            if let Err(error) = connection
                .notify(cancelled_notification(id, "no answer in time"))
                .await
            {
                debug!(%error, "cannot cancel a request");
            }
        });
    }
    sent
}

/// Sends a request, and waits for the head of its response. A server may send a server request on another
/// stream before it responds. Then this returns an exchange that still waits for the head.
async fn send_and_wait(
    connection: &ConnectionUse,
    request: Request,
    context: RequestContext,
) -> Result<SentRequest, TransportError> {
    let (id, server_requests) = (request.id, request.server_requests);
    let (sending, mut inbox) = (connection.clone(), None);
    if server_requests == ServerRequests::Unsupported {
        let exchange = sending.transport.send(&request, &context).await?;
        return Ok(SentRequest {
            exchange: exchange.marking_healthy(&connection.healthy),
            inbox,
            connection: sending,
            activity: context.activity,
        });
    }
    let activity = context.activity.clone();
    if server_requests == ServerRequests::AsResult {
        inbox = Some(connection.inboxes.register(id));
    }
    let deadlines = connection.transport.deadlines();
    let connecting = ConnectTracker::new();
    let sending = async move { sending.transport.send(&request, &context).await };
    let mut sending = Box::pin(connecting.track(sending));
    let exchange = tokio::select! {
        biased;
        sent = deadlines.wait_for_head(&mut sending, &connecting, &activity) => match sent {
            Ok(sent) => sent?,
            Err(silent) => {
                let head = ResponseHead::new(deadlines, activity.clone(), sending);
                Exchange::awaiting_head(id, head.with_timeout(silent))
            }
        },
        () = wait_for_message(inbox.as_mut()) => {
            activity.touch();
            Exchange::awaiting_head(id, ResponseHead::new(deadlines, activity.clone(), sending))
        }
    };
    Ok(SentRequest {
        exchange: exchange.marking_healthy(&connection.healthy),
        inbox,
        connection: connection.clone(),
        activity,
    })
}

async fn wait_for_message(inbox: Option<&mut Inbox>) {
    match inbox {
        Some(inbox) => inbox.wait_for_message().await,
        None => std::future::pending().await,
    }
}
