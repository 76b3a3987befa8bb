//! Holds answers back until a test lets them go.

use std::sync::Arc;

use tokio::sync::watch;

/// A gate that is closed at first. All clones are one gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Opens it, until it is closed again.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Closes it again.
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    /// Waits until it is open.
    pub async fn passed(&self) {
        self.0.subscribe().wait_for(|open| *open).await.unwrap();
    }
}
