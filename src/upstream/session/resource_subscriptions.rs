//! The subscriptions that a legacy server has: one request each, made and ended as they are wanted
//! (MCP 2025-11-25 § Resources, Subscriptions). What a server answers with an error is refused as long as the
//! connection lasts; what it does not answer is asked for again.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::backoff::Backoff;
use super::context::SessionContext;
use crate::protocol::Era;
use crate::protocol::reply::error_text;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::subscription::ledger::SubscriptionLedger;

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";

/// How many requests are under way at once.
const MAX_IN_FLIGHT: usize = 16;

/// Keeps a legacy server subscribed to what is wanted; returns when its session is gone.
pub(crate) async fn apply_subscriptions(
    context: &SessionContext,
    connection: &Connection,
) -> TransportError {
    if connection.profile.era == Era::Modern {
        // Its one subscription has the resources too: see `listen`.
        return std::future::pending().await;
    }
    let subscriptions = &context.subscriptions;
    let mut ledger = subscriptions.watch();
    let (mut backoff, mut retry_at) = (Backoff::default(), Instant::now());
    loop {
        let has_failed = ledger.borrow().has_failed();
        tokio::select! {
            // Fails never: the sender lives as long as we do.
            _ = ledger.wait_for(SubscriptionLedger::has_changes) => {}
            () = sleep_until(retry_at), if has_failed => subscriptions.retry_failed(),
        }
        if !connection.supports_subscriptions() {
            subscriptions.reject_unanswered();
        }
        let (missing, surplus) = subscriptions.take_changes();
        for uris in surplus.chunks(MAX_IN_FLIGHT) {
            if let Err(gone) = send_requests(connection, UNSUBSCRIBE, uris).await {
                return gone;
            }
        }
        subscriptions.mark_unsubscribe_done();
        let mut failure = None;
        for uris in missing.chunks(MAX_IN_FLIGHT) {
            let results = match send_requests(connection, SUBSCRIBE, uris).await {
                Ok(results) => results,
                Err(gone) => return gone,
            };
            subscriptions.record_results(&results.answered, |uri| !results.refused.contains(uri));
            subscriptions.mark_failed(&results.failed);
            failure = results.failure.or(failure);
        }
        match failure {
            Some(error) => retry_at = Instant::now() + backoff.next_delay(&error),
            None if !missing.is_empty() => backoff = Backoff::default(),
            None => {}
        }
    }
}

/// What came of some requests.
#[derive(Default)]
struct RequestResults {
    /// For which of them there is an answer.
    answered: Vec<Arc<str>>,
    /// Of these, which are errors.
    refused: Vec<Arc<str>>,
    /// For which there is none, which passes.
    failed: Vec<Arc<str>>,
    /// Why, for one of them.
    failure: Option<TransportError>,
}

/// Asks for each; an error when the session is gone.
async fn send_requests(
    connection: &Connection,
    method: &'static str,
    uris: &[Arc<str>],
) -> Result<RequestResults, TransportError> {
    let responses = uris
        .iter()
        .map(|uri| connection.request(method, json!({"uri": &**uri})));
    let mut results = RequestResults::default();
    for (uri, answer) in uris.iter().zip(join_all(responses).await) {
        match answer {
            Ok(answer) => {
                results.answered.push(uri.clone());
                if answer.error().is_some() {
                    debug!(method, %uri, error = error_text(&answer), "refused");
                    results.refused.push(uri.clone());
                }
            }
            Err(gone @ TransportError::SessionExpired) => return Err(gone),
            Err(error) => {
                debug!(method, %uri, %error, "failed");
                results.failed.push(uri.clone());
                results.failure = Some(error);
            }
        }
    }
    Ok(results)
}
