//! Who holds a parked call meanwhile: its upstream goes on speaking, and its client may never come back.

use std::sync::Arc;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::reply::cancelled;
use crate::router::Router;
use crate::router::call::suspended::{Parked, Question};
use crate::wire::{Kind, Message};

/// Holds a call until the client comes back, or has had its time.
pub(crate) async fn hold(
    router: Arc<Router>,
    handle: String,
    mut parked: Parked,
    claim: CancellationToken,
) -> Option<Parked> {
    let mut patience = std::pin::pin!(sleep(router.limits.input_wait));
    loop {
        tokio::select! {
            biased;
            () = claim.cancelled() => return Some(parked),
            () = &mut patience => break,
            said = parked.next() => match said {
                Ok(ask) if ask.kind() == Kind::Request && !parked.identity.accepts_server_request(&ask, Era::Modern) => {
                    if let Some((live, _)) = parked.sent() {
                        router.refuse_upstream(&live, &ask);
                    }
                }
                Ok(ask) if ask.kind() == Kind::Request && parked.is_full() => {
                    if let Some((live, _)) = parked.sent() {
                        router.answer_upstream(&live, bridge::overloaded(&ask));
                    }
                }
                Ok(news) if news.kind() == Kind::Notification && router.hear_beside(&parked, &news).await => {}
                said => parked.take(said),
            },
        }
    }
    // Claimed in the very same moment: then it is the client's.
    if router.parking.lock().remove(&handle).is_none() {
        return Some(parked);
    }
    info!(
        subject = parked.purpose.subject(),
        "the client did not come back; ending its call"
    );
    give_up(router, parked).await;
    None
}

/// Ends a call's part at its upstream.
pub(crate) async fn give_up(router: Arc<Router>, parked: Parked) {
    if let Some(errand) = parked.errand.and_then(|errand| router.errands.take(errand)) {
        errand.cancel().await;
    }
    let Some((live, serial)) = parked.sent() else {
        return;
    };
    let unanswered = parked.questions.iter().filter_map(Question::unanswered);
    let body = cancelled(serial, "the client did not come back");
    for body in unanswered.chain([body]) {
        if let Err(error) = live.notify(body).await {
            debug!(%error, "could not tell the upstream");
        }
    }
}

impl Router {
    /// Takes news of an upstream that came with a parked call, and is of no call.
    async fn hear_beside(&self, parked: &Parked, news: &Message) -> bool {
        let upstream = parked.way.as_ref().map(|way| way.upstream);
        match upstream.and_then(|upstream| self.upstreams.get(upstream)) {
            Some(upstream) => self.hear_aside(&upstream, news).await,
            None => false,
        }
    }
}
