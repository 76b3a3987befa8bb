//! Servers that delay responses until a test opens a gate.

use super::Builder;
use crate::gate::Gate;
use crate::raw::Request;

impl Builder {
    /// Answers calls with an empty result when the gate is open.
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

    /// Delays every request that `is_held` accepts until the gate is open. Replaces the argument of
    /// [`Builder::guarded`].
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
