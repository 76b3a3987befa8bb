//! Waiting for how an attempt to connect ends: for who has no requests, and wants to know.

use std::sync::Arc;

use super::Upstream;
use crate::upstream::connection::ConnectionUse;
use crate::upstream::error::TransportError;
use crate::upstream::offers::tools::ToolList;
use crate::upstream::session::handle::State;

/// An attempt that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Why.
    pub cause: TransportError,
    /// Which attempt it was; they count from 1.
    pub attempt: u64,
}

impl Upstream {
    /// Waits, without holding it, until it is connected; `None` when it never will be.
    pub fn at_last(&self) -> impl Future<Output = Option<ConnectionUse>> + use<> {
        let mut state = self.shared.state.subscribe();
        async move {
            let end = |state: &State| match state {
                State::Ready(connection) => Some(Some(connection.in_use())),
                State::Disconnected(down) if down.attempt == u64::MAX => Some(None),
                _ => None,
            };
            let ended = state.wait_for(|state| end(state).is_some()).await;
            end(&*ended.ok()?)?
        }
    }

    /// Waits until it is connected and has told its tools, or an attempt after `seen` has failed.
    ///
    /// # Errors
    /// [`Failure`]; others follow by themselves.
    pub async fn settled(&self, seen: u64) -> Result<(ConnectionUse, Arc<ToolList>), Failure> {
        let mut state = self.shared.state.subscribe();
        let mut listing = self.offers().watch_tools();
        loop {
            match &*state.borrow_and_update() {
                State::Ready(connection) => {
                    if let Some(listing) = &*listing.borrow_and_update() {
                        return Ok((connection.in_use(), listing.clone()));
                    }
                }
                State::Disconnected(down) if down.attempt > seen => {
                    return Err(Failure {
                        cause: down.cause.clone(),
                        attempt: down.attempt,
                    });
                }
                _ => {}
            }
            // The senders live as long as we do.
            tokio::select! {
                _ = state.changed() => {}
                _ = listing.changed() => {}
            }
        }
    }
}
