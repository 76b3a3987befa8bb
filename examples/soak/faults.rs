//! Injects random faults, one after another at each server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::gate::Mode;
use crate::servers::Site;

/// A fault of a server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A network fault.
    Gate(Mode),
    /// The server rejects every other POST with this status, with `Retry-After` where that is usual.
    Status(u16),
    /// The server drops its sessions and ends its streams.
    Forgets,
    /// The server stops for a moment, and restarts without its sessions.
    Restarts,
}

const FAULTS: [Fault; 11] = [
    Fault::Gate(Mode::Refuse),
    Fault::Gate(Mode::ResetBefore),
    Fault::Gate(Mode::ResetAfter),
    Fault::Gate(Mode::CutReply),
    Fault::Gate(Mode::Hang),
    Fault::Gate(Mode::Slow),
    Fault::Status(429),
    Fault::Status(503),
    Fault::Status(500),
    Fault::Forgets,
    Fault::Restarts,
];

/// The time between two faults at a server, and how long a fault lasts, in milliseconds.
const FAULT_INTERVAL: std::ops::Range<u64> = 1_000..6_000;
const LASTS: std::ops::Range<u64> = 100..1_500;

/// How long a hang lasts, in milliseconds; sometimes longer than the proxy's timeouts.
const HANG_DURATION: std::ops::Range<u64> = 500..6_000;

/// How often each fault was injected.
pub(crate) type Injected = BTreeMap<String, usize>;

/// The tasks that inject faults.
pub(crate) struct Faults {
    cancel: CancellationToken,
    tasks: JoinSet<Injected>,
}

impl Faults {
    /// Starts to inject faults at all servers, each at its own times.
    pub(crate) fn start(sites: &[Arc<Site>], seed: u64) -> Self {
        let (cancel, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for (index, site) in sites.iter().enumerate() {
            let rng = Rng::with_seed(seed.wrapping_add(1 + index as u64));
            tasks.spawn(strike(site.clone(), rng, cancel.clone()));
        }
        Self { cancel, tasks }
    }

    /// Ends all faults.
    pub(crate) async fn end(self) -> Injected {
        self.cancel.cancel();
        let mut injected = Injected::new();
        for (name, count) in self.tasks.join_all().await.into_iter().flatten() {
            *injected.entry(name).or_default() += count;
        }
        injected
    }
}

async fn strike(site: Arc<Site>, mut rng: Rng, cancel: CancellationToken) -> Injected {
    let mut injected = Injected::new();
    loop {
        let well = sleep(Duration::from_millis(rng.u64(FAULT_INTERVAL)));
        if cancel.run_until_cancelled(well).await.is_none() {
            return injected;
        }
        let fault = FAULTS[rng.usize(..FAULTS.len())];
        let lasts = match fault {
            Fault::Gate(Mode::Hang) => HANG_DURATION,
            _ => LASTS,
        };
        let lasts = sleep(Duration::from_millis(rng.u64(lasts)));
        *injected.entry(format!("{fault:?}")).or_default() += 1;
        match fault {
            Fault::Gate(mode) => {
                site.gate.set(mode);
                lasts.await;
                site.gate.set(Mode::Open);
            }
            Fault::Status(status) => {
                site.refuse_with(Some(status));
                lasts.await;
                site.refuse_with(None);
            }
            Fault::Forgets => site.forget().await,
            Fault::Restarts => {
                site.gate.set(Mode::Refuse);
                // The port is bound already; if that fails, the old server stays.
                site.restart().await.ok();
                lasts.await;
                site.gate.set(Mode::Open);
            }
        }
    }
}
