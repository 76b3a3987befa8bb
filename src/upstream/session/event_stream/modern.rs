//! The subscription stream at a modern server (MCP 2026-07-28 § Subscriptions). One stream carries the changes of
//! lists and the updates of resources.
//!
//! To change its filter, a second stream is opened, which replaces the first once it is acknowledged.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::debug;

use super::receive::{STABLE_AFTER, handle_message};
use crate::protocol::Era;
use crate::protocol::ServerProfile;
use crate::protocol::reply::error_text;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::session::backoff::Backoff;
use crate::upstream::session::command::Command;
use crate::upstream::session::context::SessionContext;
use crate::upstream::transport::exchange::Exchange;
use crate::upstream::transport::streamable_http::LISTEN;
use crate::wire::outgoing::code;
use crate::wire::{Message, MessageKind};

/// The capabilities that can declare `listChanged`, and the member of the filter for each.
const LIST_CHANGES: [(&str, &str); 3] = [
    ("tools", "toolsListChanged"),
    ("prompts", "promptsListChanged"),
    ("resources", "resourcesListChanged"),
];

/// How long the server may take to acknowledge a subscription.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// The outcome of a request for a subscription.
enum SubscribeOutcome {
    /// The stream is open, for these resources.
    Acknowledged(Box<Exchange>, HashSet<Box<str>>),
    /// The server rejected the request, and would reject it again.
    Rejected(String),
}

/// The state of the subscription stream.
#[derive(Default)]
struct SubscriptionStream {
    exchange: Option<Exchange>,
    /// When the last stream was opened.
    opened_at: Option<Instant>,
    /// Whether messages may have been lost since the last stream ended.
    may_have_missed: bool,
    /// Whether the server rejects subscriptions to list changes.
    rejects_list_changes: bool,
}

impl SubscriptionStream {
    fn is_stable(&self) -> bool {
        self.opened_at
            .is_some_and(|opened| opened.elapsed() >= STABLE_AFTER)
    }
}

/// Keeps a subscription stream open for the ledger's resources. Returns when the connection is lost.
pub(crate) async fn run(context: &SessionContext, connection: &Arc<Connection>) -> TransportError {
    debug_assert_eq!(connection.server_profile.era, Era::Modern);
    let changes = list_changes_filter(&connection.server_profile);
    let subscriptions = &context.subscriptions;
    let (mut stream, mut backoff) = (SubscriptionStream::default(), Backoff::default());
    let (mut ledger, mut retry_at) = (subscriptions.watch(), Instant::now());
    let mut resumed = context.settings.http_clients.resumed();
    loop {
        if !connection.supports_subscriptions() {
            subscriptions.reject_unanswered();
        }
        let (uris, has_changes, has_failed) = {
            let ledger = ledger.borrow_and_update();
            (ledger.uris(), ledger.has_changes(), ledger.has_failed())
        };
        let is_closed = stream.exchange.is_none();
        let needs_changes = is_closed && !(changes.is_empty() || stream.rejects_list_changes);
        if has_changes && uris.is_empty() && changes.is_empty() {
            // No subscription is left.
            stream.exchange = None;
            subscriptions.replace_acknowledged(&[], |_| false);
            continue;
        }
        if has_changes || needs_changes || (is_closed && !uris.is_empty()) {
            // Boxed: large and rarely needed.
            let replaced = replace_subscription(context, connection, &mut stream, &changes, &uris);
            match Box::pin(replaced).await {
                Err(lost @ (TransportError::SessionExpired | TransportError::Connect(_))) => {
                    return lost;
                }
                Err(error) if stream.exchange.is_some() => {
                    context.request_revision_check(&error);
                    debug!(%error, "cannot change the subscription");
                    subscriptions.postpone(&uris);
                    retry_at = Instant::now() + backoff.next_delay(&error);
                }
                Err(error) => {
                    debug!(%error, "cannot open the subscription");
                    context.request_revision_check(&error);
                    sleep(backoff.next_delay(&error)).await;
                }
                Ok(()) => {}
            }
            continue;
        }
        tokio::select! {
            message = next_message(&mut stream.exchange) => {
                if handle_received(context, connection, &mut stream, message).await || stream.is_stable() {
                    backoff = Backoff::default();
                }
                if stream.exchange.is_none() {
                    sleep(backoff.next_delay(&TransportError::StreamEnded)).await;
                }
            }
            _ = resumed.changed(), if stream.exchange.is_some() => mark_ended(context, &mut stream),
            _ = ledger.changed() => {}
            () = sleep_until(retry_at), if has_failed => subscriptions.retry_failed(),
        }
    }
}

/// Opens a subscription to these changes and resources, which replaces the present one. Receives messages of the
/// present one until then.
async fn replace_subscription(
    context: &SessionContext,
    connection: &Arc<Connection>,
    stream: &mut SubscriptionStream,
    changes: &Map<String, Value>,
    uris: &[Arc<str>],
) -> Result<(), TransportError> {
    let mut filter = changes.clone();
    if !uris.is_empty() {
        filter.insert(
            "resourceSubscriptions".to_owned(),
            uris.iter().map(|uri| &**uri).collect(),
        );
    }
    let opening = async {
        let late = |_| TransportError::OwnRequestTimeout(ACK_TIMEOUT);
        timeout(ACK_TIMEOUT, open_subscription(connection, filter))
            .await
            .map_err(late)?
    };
    let mut opening = std::pin::pin!(opening);
    let opened = loop {
        tokio::select! {
            opened = &mut opening => break opened?,
            message = next_message(&mut stream.exchange) => {
                handle_received(context, connection, stream, message).await;
            }
        }
    };
    let subscriptions = &context.subscriptions;
    match opened {
        SubscribeOutcome::Acknowledged(exchange, acknowledged) => {
            // Messages that have arrived on the old stream may not be repeated on the new one.
            while let Some(old) = &mut stream.exchange
                && let Some(message) = old.next().now_or_never()
            {
                handle_received(context, connection, stream, message).await;
            }
            stream.exchange = Some(*exchange);
            stream.opened_at = Some(Instant::now());
            subscriptions.replace_acknowledged(uris, |uri| acknowledged.contains(&**uri));
            if std::mem::take(&mut stream.may_have_missed) {
                context.handle.commands.send(Command::RefreshTools);
            }
        }
        SubscribeOutcome::Rejected(error) => {
            debug!(error, "the server rejected the subscription");
            if stream.opened_at.is_some() {
                // The server accepted one before.
                context.handle.commands.send(Command::CheckRevision);
            }
            stream.rejects_list_changes |= uris.is_empty();
            subscriptions.reject(uris);
        }
    }
    Ok(())
}

/// Handles a message of the subscription stream. Returns `false` if the stream has ended.
async fn handle_received(
    context: &SessionContext,
    connection: &Arc<Connection>,
    stream: &mut SubscriptionStream,
    message: Result<Message, TransportError>,
) -> bool {
    match message {
        Ok(message) if message.kind() != MessageKind::Response => {
            handle_message(context, connection, message).await;
            true
        }
        _ => {
            debug!("subscription ended");
            mark_ended(context, stream);
            false
        }
    }
}

/// Drops the stream, which has ended or may have broken in suspend.
fn mark_ended(context: &SessionContext, stream: &mut SubscriptionStream) {
    stream.exchange = None;
    stream.may_have_missed = true;
    context.subscriptions.clear();
}

/// Returns a filter of the list changes that a server declares.
fn list_changes_filter(profile: &ServerProfile) -> Map<String, Value> {
    let announced = LIST_CHANGES
        .iter()
        .filter(|(what, _)| profile.declares_list_changed(what));
    let keys = announced.map(|(_, key)| (*key).to_owned());
    keys.map(|key| (key, Value::Bool(true))).collect()
}

/// Opens a subscription, and waits for its acknowledgement. Messages before that do not belong to it.
async fn open_subscription(
    connection: &Arc<Connection>,
    filter: Map<String, Value>,
) -> Result<SubscribeOutcome, TransportError> {
    let mut exchange = connection
        .start_request(LISTEN, json!({"notifications": filter}))
        .await?;
    loop {
        let message = exchange.next().await?;
        match (message.kind(), &*message.method()) {
            (MessageKind::Response, _) if message.error().is_some() => {
                let error = error_text(&message);
                return match is_permanent_rejection(&message) {
                    true => Ok(SubscribeOutcome::Rejected(error)),
                    false => Err(TransportError::Handshake(error)),
                };
            }
            (MessageKind::Response, _) => return Err(TransportError::StreamEnded),
            (_, "notifications/subscriptions/acknowledged") => {
                return Ok(SubscribeOutcome::Acknowledged(
                    exchange.into(),
                    acknowledged_uris(&message),
                ));
            }
            (_, method) => debug!(method, "ignored before the acknowledgement"),
        }
    }
}

/// Returns `true` if the same request would be rejected again.
fn is_permanent_rejection(rejection: &Message) -> bool {
    let finals = [
        code::METHOD_NOT_FOUND,
        code::INVALID_PARAMS,
        code::MISSING_CAPABILITY,
    ];
    rejection
        .error_code()
        .is_some_and(|it| finals.contains(&it))
}

/// Returns the resources that an acknowledgement names.
fn acknowledged_uris(message: &Message) -> HashSet<Box<str>> {
    #[derive(Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Filter {
        resource_subscriptions: Option<HashSet<Box<str>>>,
    }
    let filter = message.param("notifications");
    let filter = filter.and_then(|filter| serde_json::from_slice::<Filter>(filter.value()).ok());
    filter
        .and_then(|filter| filter.resource_subscriptions)
        .unwrap_or_default()
}

/// Returns the next message. Waits forever if there is no subscription.
async fn next_message(exchange: &mut Option<Exchange>) -> Result<Message, TransportError> {
    match exchange {
        Some(exchange) => exchange.next().await,
        None => std::future::pending().await,
    }
}
