//! The way in to a server, which can fail below HTTP.

use std::sync::Arc;

use tokio::sync::watch;

/// What becomes of connections.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Entry {
    /// They are served.
    #[default]
    Open,
    /// They are accepted, and reset.
    Reset,
    /// They are accepted, and nothing is read of them or written to them. When this ends, they are reset.
    Hang,
}

/// All clones are one door.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<watch::Sender<State>>);

#[derive(Default)]
struct State {
    entry: Entry,
    accepted: usize,
    /// Connections with lower numbers are reset.
    reset_below: usize,
    /// Connections with lower numbers hang for good.
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

/// The way by which one connection came in.
pub(super) struct WayIn {
    number: usize,
    state: watch::Receiver<State>,
}

impl WayIn {
    /// Waits until the connection can be used no more, and tells whether it is to be reset at once.
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

    /// Waits until a connection that hangs is given up.
    pub(super) async fn given_up(&self) {
        self.when(|state| self.number < state.reset_below).await;
    }

    async fn when(&self, until: impl FnMut(&State) -> bool) {
        let mut state = self.state.clone();
        if state.wait_for(until).await.is_err() {
            // The server is gone, which ends the connection by itself.
            std::future::pending::<()>().await;
        }
    }
}
