//! The one subscription that we have at a modern server: to the lists whose changes it announces, and to
//! the resources that are wanted (MCP 2026-07-28 § Subscriptions).
//!
//! To change what it is for, another one is opened beside it, and takes its place once acknowledged.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::debug;

use super::receive::{STABLE_AFTER, receive};
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

/// The capabilities whose changes are announced, and how to subscribe to them.
const CHANGES: [(&str, &str); 3] = [
    ("tools", "toolsListChanged"),
    ("prompts", "promptsListChanged"),
    ("resources", "resourcesListChanged"),
];

/// How long the server may take to acknowledge a subscription.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// What came of opening a subscription.
enum Opened {
    /// It is open, for these resources.
    Acknowledged(Box<Exchange>, HashSet<Box<str>>),
    /// The server refused it, and will again.
    Refused(String),
}

/// The subscription, and what is known of it.
#[derive(Default)]
struct Stream {
    exchange: Option<Exchange>,
    /// When the last one was opened.
    opened: Option<Instant>,
    /// Whether it ended, and what was said since is lost.
    missed: bool,
    /// Whether the server refuses to announce changes of its lists.
    refuses: bool,
}

impl Stream {
    fn is_stable(&self) -> bool {
        self.opened
            .is_some_and(|opened| opened.elapsed() >= STABLE_AFTER)
    }
}

/// Keeps the subscription as it is wanted; returns when the connection is lost.
pub(crate) async fn run(context: &SessionContext, live: &Arc<Connection>) -> TransportError {
    debug_assert_eq!(live.profile.era, Era::Modern);
    let changes = announced(&live.profile);
    let wanted = &context.subscriptions;
    let mut ledger = wanted.watch();
    let (mut stream, mut backoff) = (Stream::default(), Backoff::default());
    let mut again = Instant::now();
    let mut woken = context.settings.clients.resumed();
    loop {
        if !live.supports_subscriptions() {
            wanted.reject_unanswered();
        }
        let (uris, has_changes, has_failed) = {
            let ledger = ledger.borrow_and_update();
            (ledger.uris(), ledger.has_changes(), ledger.has_failed())
        };
        let is_due = stream.exchange.is_none() && !(changes.is_empty() || stream.refuses);
        if has_changes && uris.is_empty() && changes.is_empty() {
            // Nobody wants anything any more.
            stream.exchange = None;
            wanted.replace_acknowledged(&[], |_| false);
            continue;
        }
        if has_changes || is_due || (stream.exchange.is_none() && !uris.is_empty()) {
            // Boxed: it is large, and hardly ever needed.
            match Box::pin(renew(context, live, &mut stream, &changes, &uris)).await {
                Err(gone @ (TransportError::SessionExpired | TransportError::Connect(_))) => {
                    return gone;
                }
                Err(error) if stream.exchange.is_some() => {
                    context.doubt(&error);
                    debug!(%error, "the subscription stays as it is");
                    wanted.postpone(&uris);
                    again = Instant::now() + backoff.next(&error);
                }
                Err(error) => {
                    debug!(%error, "the subscription is down");
                    context.doubt(&error);
                    sleep(backoff.next(&error)).await;
                }
                Ok(()) => {}
            }
            continue;
        }
        tokio::select! {
            message = next(&mut stream.exchange) => {
                if take(context, live, &mut stream, message).await || stream.is_stable() {
                    backoff = Backoff::default();
                }
                if stream.exchange.is_none() {
                    sleep(backoff.next(&TransportError::StreamEnded)).await;
                }
            }
            _ = woken.changed(), if stream.exchange.is_some() => miss(context, &mut stream),
            _ = ledger.changed() => {}
            () = sleep_until(again), if has_failed => wanted.retry_failed(),
        }
    }
}

/// Opens a subscription to these changes and resources in place of the one there is, which is
/// heard until then.
async fn renew(
    context: &SessionContext,
    live: &Arc<Connection>,
    stream: &mut Stream,
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
        let late = |_| TransportError::IdleTimeout(ACK_TIMEOUT);
        timeout(ACK_TIMEOUT, open(live, filter))
            .await
            .map_err(late)?
    };
    let mut opening = std::pin::pin!(opening);
    let opened = loop {
        tokio::select! {
            opened = &mut opening => break opened?,
            message = next(&mut stream.exchange) => {
                take(context, live, stream, message).await;
            }
        }
    };
    let wanted = &context.subscriptions;
    match opened {
        Opened::Acknowledged(exchange, taken) => {
            // What has come on the old one may not come on the new one.
            while let Some(old) = &mut stream.exchange
                && let Some(message) = old.next().now_or_never()
            {
                take(context, live, stream, message).await;
            }
            stream.exchange = Some(*exchange);
            stream.opened = Some(Instant::now());
            wanted.replace_acknowledged(uris, |uri| taken.contains(&**uri));
            if std::mem::take(&mut stream.missed) {
                context.handle.commands.send(Command::RefreshTools);
            }
        }
        Opened::Refused(error) => {
            debug!(error, "the upstream offers no such subscription");
            if stream.opened.is_some() {
                // It did.
                context.handle.commands.send(Command::CheckRevision);
            }
            stream.refuses |= uris.is_empty();
            wanted.reject(uris);
        }
    }
    Ok(())
}

/// Takes what the subscription brought; `false` when that is its end.
async fn take(
    context: &SessionContext,
    live: &Arc<Connection>,
    stream: &mut Stream,
    message: Result<Message, TransportError>,
) -> bool {
    match message {
        Ok(message) if message.kind() != MessageKind::Response => {
            receive(context, live, message).await;
            true
        }
        _ => {
            debug!("the subscription has ended");
            miss(context, stream);
            false
        }
    }
}

/// The subscription is over, or as good as that.
fn miss(context: &SessionContext, stream: &mut Stream) {
    stream.exchange = None;
    stream.missed = true;
    context.subscriptions.clear();
}

/// The changes that a server announces, as a filter.
fn announced(facts: &ServerProfile) -> Map<String, Value> {
    let announced = CHANGES
        .iter()
        .filter(|(what, _)| facts.declares_list_changed(what));
    let keys = announced.map(|(_, key)| (*key).to_owned());
    keys.map(|key| (key, Value::Bool(true))).collect()
}

/// Opens a subscription, and waits for its acknowledgement: nothing before that belongs to it.
async fn open(
    live: &Arc<Connection>,
    filter: Map<String, Value>,
) -> Result<Opened, TransportError> {
    let mut exchange = live
        .start_request(LISTEN, json!({"notifications": filter}))
        .await?;
    loop {
        let message = exchange.next().await?;
        match (message.kind(), &*message.method()) {
            (MessageKind::Response, _) if message.error().is_some() => {
                let error = error_text(&message);
                return match is_final(&message) {
                    true => Ok(Opened::Refused(error)),
                    false => Err(TransportError::Handshake(error)),
                };
            }
            (MessageKind::Response, _) => return Err(TransportError::StreamEnded),
            (_, "notifications/subscriptions/acknowledged") => {
                return Ok(Opened::Acknowledged(
                    exchange.into(),
                    acknowledged(&message),
                ));
            }
            (_, method) => debug!(method, "ignored before the acknowledgement"),
        }
    }
}

/// Whether an error says that it will be the same next time.
fn is_final(refusal: &Message) -> bool {
    let finals = [
        code::METHOD_NOT_FOUND,
        code::INVALID_PARAMS,
        code::MISSING_CAPABILITY,
    ];
    refusal.error_code().is_some_and(|it| finals.contains(&it))
}

/// The resources that an acknowledgement names.
fn acknowledged(message: &Message) -> HashSet<Box<str>> {
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

/// What comes next; never anything while there is no subscription.
async fn next(exchange: &mut Option<Exchange>) -> Result<Message, TransportError> {
    match exchange {
        Some(exchange) => exchange.next().await,
        None => std::future::pending().await,
    }
}
