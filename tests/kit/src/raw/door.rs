//! Simulates failures of connections below HTTP.

use std::sync::Arc;

use tokio::sync::watch;

/// How connections are handled.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Entry {
    /// Connections are served.
    #[default]
    Open,
    /// Connections are accepted, and reset.
    Reset,
    /// Connections are accepted, without reading or writing. When this ends, they are reset.
    Hang,
}

/// The door of a server. Clones share their state.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<watch::Sender<State>>);

#[derive(Default)]
struct State {
    entry: Entry,
    accepted: usize,
    /// Connections with lower numbers are reset.
    reset_below: usize,
    /// Connections with lower numbers hang for ever.
    forgotten_below: usize,
}

impl Door {
    pub(super) fn set(&self, entry: Entry) {
        self.0.send_modify(|state| {
            if state.entry == Entry::Hang {
                state.reset_below = state.accepted;
            }
            state.entry = entry;
        });
    }

    pub(super) fn reset(&self) {
        self.0
            .send_modify(|state| state.reset_below = state.accepted);
    }

    pub(super) fn forget(&self) {
        self.0
            .send_modify(|state| state.forgotten_below = state.accepted);
    }

    /// Lets the next connection in.
    pub(super) fn enter(&self) -> WayIn {
        let mut number = 0;
        self.0.send_modify(|state| {
            number = state.accepted;
            state.accepted += 1;
        });
        WayIn {
            number,
            state: self.0.subscribe(),
        }
    }
}

/// The state of one connection.
pub(super) struct WayIn {
    number: usize,
    state: watch::Receiver<State>,
}

impl WayIn {
    /// Waits until the connection must not be used. Returns `true` if it is to be reset at once.
    pub(super) async fn closed(&self) -> bool {
        let mut resets = false;
        let end = self.when(|state| {
            resets = self.number < state.reset_below || state.entry == Entry::Reset;
            let hangs = self.number < state.forgotten_below || state.entry == Entry::Hang;
            resets || hangs
        });
        end.await;
        resets
    }

    /// Waits until a hanging connection is to be reset.
    pub(super) async fn given_up(&self) {
        self.when(|state| self.number < state.reset_below).await;
    }

    async fn when(&self, until: impl FnMut(&State) -> bool) {
        let mut state = self.state.clone();
        if state.wait_for(until).await.is_err() {
            // The server has stopped, which ends the connection.
            std::future::pending::<()>().await;
        }
    }
}
