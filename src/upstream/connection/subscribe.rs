//! The subscriptions that a legacy server has: one request each, made and ended as they are wanted
//! (MCP 2025-11-25 § Resources, Subscriptions).

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use tracing::debug;

use super::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::live::Live;
use crate::upstream::transport::error_text;
use crate::upstream::wanted::{Book, takes_subscriptions};
use crate::wire::Era;

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

impl Connection {
    /// Keeps a legacy server subscribed to what is wanted; returns when its session is gone.
    pub(super) async fn keep_subscribed(&self, live: &Live) -> TransportError {
        if live.era == Era::Modern {
            // Its one subscription has the resources too: see `listen`.
            return std::future::pending().await;
        }
        let wanted = &self.shared.wanted;
        let mut book = wanted.watch();
        loop {
            // Fails never: the sender lives as long as we do.
            let _ = book.wait_for(Book::has_work).await;
            if !takes_subscriptions(&live.facts) {
                wanted.refuse_missing();
            }
            let (missing, surplus) = wanted.take_work();
            for some in surplus.chunks(AT_ONCE) {
                if let Err(gone) = ask(live, UNSUBSCRIBE, some).await {
                    return gone;
                }
            }
            wanted.gave_up();
            for some in missing.chunks(AT_ONCE) {
                let taken = match ask(live, SUBSCRIBE, some).await {
                    Ok(taken) => taken,
                    Err(gone) => return gone,
                };
                wanted.settle(some, |uri| taken.contains(uri));
            }
        }
    }
}

/// Those for which the server has done it; an error when the session is gone.
async fn ask(
    live: &Live,
    method: &'static str,
    uris: &[Arc<str>],
) -> Result<Vec<Arc<str>>, TransportError> {
    let answers = uris
        .iter()
        .map(|uri| live.ask(method, json!({"uri": &**uri})));
    let mut done = Vec::with_capacity(uris.len());
    for (uri, answer) in uris.iter().zip(join_all(answers).await) {
        match answer {
            Ok(answer) if answer.error().is_none() => done.push(uri.clone()),
            Ok(answer) => debug!(method, %uri, error = error_text(&answer), "refused"),
            Err(gone @ TransportError::SessionExpired) => return Err(gone),
            Err(error) => debug!(method, %uri, %error, "failed"),
        }
    }
    Ok(done)
}
