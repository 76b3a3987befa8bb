//! The resource subscriptions at a legacy server, with one request for each (MCP 2025-11-25 § Resources,
//! Subscriptions). A subscription that the server rejects is not requested again on the same connection. A
//! request that fails is retried.

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

/// How many requests are in flight at once.
const MAX_IN_FLIGHT: usize = 16;

/// Subscribes and unsubscribes a legacy server as the ledger changes. Returns when the session has expired.
pub(crate) async fn apply_subscriptions(
    context: &SessionContext,
    connection: &Connection,
) -> TransportError {
    if connection.server_profile.era == Era::Modern {
        // The event stream of a modern server includes resources: see `event_stream::modern`.
        return std::future::pending().await;
    }
    let subscriptions = &context.subscriptions;
    let mut ledger = subscriptions.watch();
    let (mut backoff, mut retry_at) = (Backoff::default(), Instant::now());
    loop {
        let has_failed = ledger.borrow().has_failed();
        tokio::select! {
            // Never fails: the sender outlives this task.
            _ = ledger.wait_for(SubscriptionLedger::has_changes) => {}
            () = sleep_until(retry_at), if has_failed => subscriptions.retry_failed(),
        }
        if !connection.supports_subscriptions() {
            subscriptions.reject_unanswered();
        }
        let (missing, surplus) = subscriptions.take_changes();
        for uris in surplus.chunks(MAX_IN_FLIGHT) {
            if let Err(lost) = send_requests(connection, UNSUBSCRIBE, uris).await {
                return lost;
            }
        }
        subscriptions.mark_unsubscribe_done();
        let mut failure = None;
        for uris in missing.chunks(MAX_IN_FLIGHT) {
            let results = match send_requests(connection, SUBSCRIBE, uris).await {
                Ok(results) => results,
                Err(lost) => return lost,
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

/// The results of several requests.
#[derive(Default)]
struct RequestResults {
    /// The resources whose requests were answered.
    answered: Vec<Arc<str>>,
    /// The resources among them whose response is an error.
    refused: Vec<Arc<str>>,
    /// The resources whose requests failed, and may be retried.
    failed: Vec<Arc<str>>,
    /// The cause of the last failure.
    failure: Option<TransportError>,
}

/// Sends one request for each resource. Returns an error if the session has expired.
async fn send_requests(
    connection: &Connection,
    method: &'static str,
    uris: &[Arc<str>],
) -> Result<RequestResults, TransportError> {
    let requests = uris
        .iter()
        .map(|uri| connection.request(method, json!({"uri": &**uri})));
    let mut results = RequestResults::default();
    for (uri, response) in uris.iter().zip(join_all(requests).await) {
        match response {
            Ok(response) => {
                results.answered.push(uri.clone());
                if response.error().is_some() {
                    debug!(method, %uri, error = error_text(&response), "request rejected");
                    results.refused.push(uri.clone());
                }
            }
            Err(lost @ TransportError::SessionExpired) => return Err(lost),
            Err(error) => {
                debug!(method, %uri, %error, "request failed");
                results.failed.push(uri.clone());
                results.failure = Some(error);
            }
        }
    }
    Ok(results)
}
