//! A gate that delays responses until a test opens it.

use std::sync::Arc;

use tokio::sync::watch;

/// A gate, closed at first. Clones share their state.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Creates a closed gate.
    pub fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Opens the gate, until it is closed again.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Closes the gate again.
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    /// Waits until the gate is open.
    pub async fn passed(&self) {
        self.0.subscribe().wait_for(|open| *open).await.unwrap();
    }
}
