//! Calls of modern clients that a legacy upstream has interrupted by a request. The client gets a result
//! that requires input (MCP 2026-07-28 § Multi Round-Trip Requests); the call waits, parked under a
//! handle, until the client comes back with that handle and its answers.
//!
//! A parked call is bound to the request that it was made by, can be taken once, and ends its
//! upstream's part when the client does not come back in time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::suspended_guard;

use super::follow::Followed;
use super::server_requests::deliver;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::reply::{failure, success};
use crate::router::Router;
use crate::router::call::outcome::{Answer, Lost};
use crate::router::call::request::Relayed;
use crate::router::call::suspended::{Parked, Purpose};
use crate::router::client::in_flight::Sent;
use crate::router::client::proxied_tasks::Running;
use crate::upstream::{TransportError, Upstream};
use crate::wire::Message;
use crate::wire::outgoing::code;
use crate::wire::splice::decode;

/// What a handle begins with, so that it is told from the `requestState` of an upstream.
const PREFIX: &str = "mcp-manifold:";

/// All calls that are parked.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    // std's Mutex: held for one operation on a map, never across an await.
    calls: Mutex<HashMap<String, Entry>>,
}

/// A parked call.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Held, so that it does not end before the call does.
    upstream: Upstream,
    purpose: Purpose,
    /// Tells the guard to let go.
    claim: CancellationToken,
    /// The task that holds the call meanwhile.
    guard: JoinHandle<Option<Parked>>,
    /// Whom to tell when it ends.
    sent: Option<Sent>,
}

impl Parking {
    /// The upstream whose call waits under this handle.
    pub(crate) fn holds(&self, handle: &str) -> Option<Upstream> {
        Some(self.lock().get(handle)?.upstream.clone())
    }

    /// Takes the call that waits under this handle for the same request again.
    fn claim(&self, handle: &str, purpose: &Purpose) -> Option<Entry> {
        let mut calls = self.lock();
        calls
            .get(handle)
            .filter(|entry| entry.purpose == *purpose)?;
        calls.remove(handle)
    }

    /// Takes out the calls at these upstreams, each to be [given up](Entry::give_up).
    pub(crate) fn evict(&self, is_gone: impl Fn(&Upstream) -> bool) -> Vec<Entry> {
        let mut calls = self.lock();
        let gone = calls.extract_if(|_, entry| is_gone(&entry.upstream));
        gone.map(|(_, entry)| entry).collect()
    }

    /// Stops all of them. Whom to tell comes back.
    pub(crate) fn clear(&self) -> Vec<Sent> {
        let stop = |(_, entry): (String, Entry)| {
            entry.guard.abort();
            entry.sent
        };
        self.lock().drain().filter_map(stop).collect()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Ends the call's part at its upstream.
    pub(crate) async fn give_up(self, router: Arc<Router>) {
        self.claim.cancel();
        if let Ok(Some(parked)) = self.guard.await {
            suspended_guard::give_up(router, parked).await;
        }
    }
}

impl Relayed {
    /// The handle of the parked call that the client comes back to.
    pub(crate) fn parked_under(&self) -> Option<String> {
        if self.speaker.era == Era::Legacy {
            return None;
        }
        let state = self.message.param("requestState")?;
        let handle = decode(state.value())?;
        handle.starts_with(PREFIX).then(|| handle.into_owned())
    }
}

impl Router {
    /// Parks a call and answers its request with what it wants to know.
    pub(crate) fn park(
        self: &Arc<Self>,
        request: &Relayed,
        upstream: &Upstream,
        mut parked: Parked,
    ) -> Answer {
        if let Some(way) = &mut parked.way {
            way.admitted = None;
        }
        // Random enough that nobody guesses the handle of another's call.
        let random = oauth2::CsrfToken::new_random().into_secret();
        let handle = format!("{PREFIX}{random}");
        let mut calls = self.parking.lock();
        if calls.len() >= self.limits.parked_calls {
            drop(calls);
            self.tasks
                .spawn(suspended_guard::give_up(self.clone(), parked));
            return Answer::Response(failure(
                code::INTERNAL_ERROR,
                "too many calls wait for the client's input; answer these first, \
                 or raise PROXY_PARKED_CALLS",
            ));
        }
        let result = parked.result(&handle);
        debug!(
            subject = request.subject,
            "parked until the client comes back"
        );
        let claim = CancellationToken::new();
        let (purpose, sent) = (parked.purpose.clone(), parked.sent());
        let guard = suspended_guard::hold(self.clone(), handle.clone(), parked, claim.clone());
        // The lock is held, so the guard cannot look for its entry before it is there.
        let guard = self.tasks.spawn(guard);
        let entry = Entry {
            upstream: upstream.clone(),
            purpose,
            claim,
            guard,
            sent,
        };
        calls.insert(handle, entry);
        Answer::Response(success(&result))
    }

    /// Goes on with a parked call, by the answers that the client has brought.
    pub(crate) async fn resume(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
        handle: &str,
    ) -> Result<Answer, Lost> {
        let Some(mut parked) = self.unpark(request, handle).await else {
            return Ok(Answer::Response(unknown_state()));
        };
        // However it is lost: the call has begun.
        let lost = |cause: TransportError, heard| Lost {
            error: upstream.error(&target.method, cause.under_way()),
            heard,
        };
        if let Some(way) = &mut parked.way {
            way.logs = upstream.log(&way.live, request.level()).await;
        }
        // The task that it follows goes with it again, should the client cancel.
        let running = parked.errand.map(|errand| {
            self.inflight.entrust(&request.key);
            self.errands.resume(errand, &self.tasks)
        });
        if let Err(cause) = self.bring(request, &mut parked).await {
            return Err(lost(cause, true));
        }
        // With a call that has ended, nobody waits for its answers any more.
        let is_over = parked.way.is_some() && parked.ended.is_some();
        if !parked.questions.is_empty() && !is_over {
            running.map(Running::parked);
            parked.hush();
            return Ok(self.park(request, upstream, parked));
        }
        let Some(mut way) = parked.way else {
            // What the upstream refused can be done now, unless the person did not go along.
            return match parked.ended {
                Some(Ok(refusal)) if parked.declined => Ok(Answer::Response(refusal)),
                _ => Box::pin(self.attempt(request, target, upstream)).await,
            };
        };
        let followed = match parked.ended {
            Some(Ok(response)) => Followed::Response(response),
            Some(Err(cause)) => return Err(lost(cause, true)),
            None => self.follow(request, target, upstream, &mut way).await?,
        };
        match followed {
            Followed::Response(response) => {
                running.into_iter().for_each(Running::ended);
                self.end(request, target, upstream, &way, response)
            }
            Followed::Asked(ask) => {
                let errand = running.map(Running::parked);
                let parked = Parked::asked(request, way, &ask).with_errand(errand);
                Ok(self.park(request, upstream, parked))
            }
        }
    }

    /// Brings the upstream the answers that it is due.
    async fn bring(&self, request: &Relayed, parked: &mut Parked) -> Result<(), TransportError> {
        let due = parked.answer(&request.message);
        let renamed = parked.way.as_ref().and_then(|way| way.renamed(request));
        if let Some((given, known)) = renamed {
            self.inflight.rename(&request.key, given, known);
        }
        if let Some(way) = &parked.way {
            self.inflight.shows_life_by(&request.key, &way.activity);
        }
        if let Some((live, _)) = parked.sent() {
            for (id, response) in due {
                deliver(&live, &id, response).await?;
            }
        }
        Ok(())
    }

    /// Refuses a retry whose `requestState` is none of ours at an upstream that has none: it would
    /// take the retry for a new call.
    pub(crate) async fn refuse_foreign_state(
        &self,
        request: &Relayed,
        upstream: &Upstream,
    ) -> Option<Message> {
        let state = request.message.param("requestState");
        state.filter(|_| request.speaker.era == Era::Modern)?;
        let live = upstream.connected(&request.message.method()).await.ok()?;
        (live.profile.era == Era::Legacy).then(unknown_state)
    }

    async fn unpark(&self, request: &Relayed, handle: &str) -> Option<Parked> {
        let entry = self.parking.claim(handle, &Purpose::of(request))?;
        // From here on a cancellation of the request is one of the call.
        if let Some((live, serial)) = &entry.sent {
            self.inflight.sent(&request.key, live, *serial);
        }
        entry.claim.cancel();
        entry.guard.await.ok().flatten()
    }
}

pub(crate) fn unknown_state() -> Message {
    failure(
        code::INVALID_PARAMS,
        "no call waits under this `requestState`: it was used, took too long, or belongs to \
         another request; the call may have run: check before you send it again",
    )
}
