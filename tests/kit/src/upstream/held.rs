//! Servers that hold back what they answer until a test opens a gate.

use super::Builder;
use crate::gate::Gate;
use crate::raw::Request;

impl Builder {
    /// Answers calls with an empty result, once the gate is open.
    #[must_use]
    pub fn held_by(self, gate: &Gate) -> Self {
        let gate = gate.clone();
        self.on_call(move |_| {
            let gate = gate.clone();
            async move {
                gate.passed().await;
                br#"{"content":[]}"#.to_vec()
            }
        })
    }

    /// Holds every request back that `is_held` accepts, answer and all, until the gate is open.
    /// It takes the place of what [`Builder::guarded`] was given.
    #[must_use]
    pub fn holding(
        self,
        gate: &Gate,
        is_held: impl Fn(&Request) -> bool + Send + Sync + 'static,
    ) -> Self {
        let gate = gate.clone();
        self.guarded(move |request| {
            let waits = is_held(&request).then(|| gate.clone());
            async move {
                if let Some(gate) = waits {
                    gate.passed().await;
                }
                None
            }
        })
    }
}
