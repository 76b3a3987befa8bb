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
const AT_ONCE: usize = 16;

/// Keeps a legacy server subscribed to what is wanted; returns when its session is gone.
pub(crate) async fn apply_subscriptions(
    context: &SessionContext,
    live: &Connection,
) -> TransportError {
    if live.profile.era == Era::Modern {
        // Its one subscription has the resources too: see `listen`.
        return std::future::pending().await;
    }
    let wanted = &context.subscriptions;
    let mut ledger = wanted.watch();
    let (mut backoff, mut again) = (Backoff::default(), Instant::now());
    loop {
        let has_failed = ledger.borrow().has_failed();
        tokio::select! {
            // Fails never: the sender lives as long as we do.
            _ = ledger.wait_for(SubscriptionLedger::has_changes) => {}
            () = sleep_until(again), if has_failed => wanted.retry_failed(),
        }
        if !live.supports_subscriptions() {
            wanted.reject_unanswered();
        }
        let (missing, surplus) = wanted.take_changes();
        for some in surplus.chunks(AT_ONCE) {
            if let Err(gone) = ask(live, UNSUBSCRIBE, some).await {
                return gone;
            }
        }
        wanted.mark_unsubscribe_done();
        let mut failure = None;
        for some in missing.chunks(AT_ONCE) {
            let answers = match ask(live, SUBSCRIBE, some).await {
                Ok(answers) => answers,
                Err(gone) => return gone,
            };
            wanted.record_results(&answers.given, |uri| !answers.refused.contains(uri));
            wanted.mark_failed(&answers.failed);
            failure = answers.failure.or(failure);
        }
        match failure {
            Some(error) => again = Instant::now() + backoff.next(&error),
            None if !missing.is_empty() => backoff = Backoff::default(),
            None => {}
        }
    }
}

/// What came of some requests.
#[derive(Default)]
struct Answers {
    /// For which of them there is an answer.
    given: Vec<Arc<str>>,
    /// Of these, which are errors.
    refused: Vec<Arc<str>>,
    /// For which there is none, which passes.
    failed: Vec<Arc<str>>,
    /// Why, for one of them.
    failure: Option<TransportError>,
}

/// Asks for each; an error when the session is gone.
async fn ask(
    live: &Connection,
    method: &'static str,
    uris: &[Arc<str>],
) -> Result<Answers, TransportError> {
    let asked = uris
        .iter()
        .map(|uri| live.request(method, json!({"uri": &**uri})));
    let mut answers = Answers::default();
    for (uri, answer) in uris.iter().zip(join_all(asked).await) {
        match answer {
            Ok(answer) => {
                answers.given.push(uri.clone());
                if answer.error().is_some() {
                    debug!(method, %uri, error = error_text(&answer), "refused");
                    answers.refused.push(uri.clone());
                }
            }
            Err(gone @ TransportError::SessionExpired) => return Err(gone),
            Err(error) => {
                debug!(method, %uri, %error, "failed");
                answers.failed.push(uri.clone());
                answers.failure = Some(error);
            }
        }
    }
    Ok(answers)
}
