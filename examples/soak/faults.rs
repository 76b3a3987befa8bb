//! Which fault strikes which server, and when: drawn at random, one after the other at each server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::gate::Mode;
use crate::servers::Site;

/// What can happen to a server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Of the network.
    Gate(Mode),
    /// It refuses every other POST with this status, and says when to come back where that is usual.
    Status(u16),
    /// It forgets its sessions and ends its streams.
    Forgets,
    /// It is away for a moment and comes back without its sessions.
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

/// How long a server is well between two faults, and how long one lasts, in milliseconds.
const WELL: std::ops::Range<u64> = 1_000..6_000;
const LASTS: std::ops::Range<u64> = 100..1_500;

/// The same for silence, which is to outlast the proxy's patience now and then.
const HANGS: std::ops::Range<u64> = 500..6_000;

/// How often each fault struck.
pub(crate) type Injected = BTreeMap<String, usize>;

/// The faults that are going on.
pub(crate) struct Faults {
    cancel: CancellationToken,
    tasks: JoinSet<Injected>,
}

impl Faults {
    /// Lets faults strike all servers, each at its own times.
    pub(crate) fn start(sites: &[Arc<Site>], seed: u64) -> Self {
        let (cancel, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for (index, site) in sites.iter().enumerate() {
            let rng = Rng::with_seed(seed.wrapping_add(1 + index as u64));
            tasks.spawn(strike(site.clone(), rng, cancel.clone()));
        }
        Self { cancel, tasks }
    }

    /// Ends them; everything is well from then on.
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
        let well = sleep(Duration::from_millis(rng.u64(WELL)));
        if cancel.run_until_cancelled(well).await.is_none() {
            return injected;
        }
        let fault = FAULTS[rng.usize(..FAULTS.len())];
        let lasts = match fault {
            Fault::Gate(Mode::Hang) => HANGS,
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
                // The port is bound already; without it the server stays the old one.
                site.restart().await.ok();
                lasts.await;
                site.gate.set(Mode::Open);
            }
        }
    }
}
