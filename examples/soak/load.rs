//! The load: a number of concurrent random calls.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::calls::{Answer, Call};
use crate::client::Client;
use crate::servers::{KINDS, Site};

/// The first number of the calls after all faults have ended.
const RECOVERY_CALLS: u64 = 1 << 40;

/// How long an upstream may take to recover after its last fault.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// The maximum run time of a tool, in milliseconds.
const MAX_DURATION_MS: u64 = 250;

/// Keeps `in_flight` calls in flight until `end`.
pub(crate) async fn keep_going(
    client: &Client,
    end: Instant,
    in_flight: usize,
    seed: u64,
) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    let lanes = (0..in_flight as u64).map(|lane| {
        let rng = rng.fork();
        call_in_sequence(client, end, lane, in_flight as u64, rng)
    });
    let lanes: Vec<_> = lanes.collect();
    futures_util::future::try_join_all(lanes).await.map(drop)
}

/// Makes one call after another. Each lane uses its own call numbers.
async fn call_in_sequence(
    client: &Client,
    end: Instant,
    lane: u64,
    lanes: u64,
    mut rng: Rng,
) -> Result<()> {
    for turn in 0.. {
        if Instant::now() >= end {
            break;
        }
        one(client, lane + turn * lanes, &mut rng, end).await?;
    }
    Ok(())
}

async fn one(client: &Client, number: u64, rng: &mut Rng, end: Instant) -> Result<()> {
    let (site, idempotent) = (rng.usize(..KINDS.len()), rng.bool());
    let (with_progress, cancelled) = (rng.u8(..4) == 0, rng.u8(..16) == 0);
    let call = Call {
        site,
        idempotent,
        ..Call::default()
    };
    client.ledger().register(number, call);
    let ms = rng.u64(..MAX_DURATION_MS);
    let answered = client.ledger().answer_to(number);
    client
        .send(&request(number, site, idempotent, ms, with_progress))
        .await?;
    if cancelled {
        sleep(Duration::from_millis(rng.u64(..MAX_DURATION_MS))).await;
        client.ledger().change(number, |call| call.cancelled = true);
        let params = json!({"requestId": number, "reason": "no longer wanted"});
        let method = "notifications/cancelled";
        return client
            .send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .await;
    }
    // Calls that are open at the end are awaited together later.
    tokio::time::timeout_at(end, answered).await.ok();
    Ok(())
}

fn request(number: u64, site: usize, idempotent: bool, ms: u64, with_progress: bool) -> Value {
    let tool = if idempotent { "put" } else { "add" };
    let name = format!("{}__{tool}", KINDS[site].name());
    let mut params = json!({"name": name, "arguments": {"number": number, "ms": ms}});
    if with_progress {
        params["_meta"] = json!({"progressToken": number});
    }
    json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
}

/// Makes `count` calls as fast as responses arrive. The first has the number `first`.
pub(crate) async fn burst(
    client: &Client,
    first: u64,
    count: u64,
    in_flight: usize,
    rng: &mut Rng,
) -> Result<()> {
    let lanes = in_flight as u64;
    let calls = (0..lanes).map(|lane| {
        let mut rng = rng.fork();
        async move {
            for number in (first + lane..first + count).step_by(in_flight) {
                // All calls go to one server, then all to the next, so that each soon has its maximum of
                // connections.
                let turn = (number - first) as usize / in_flight;
                let site = turn % KINDS.len();
                client.ledger().register(number, Call::default());
                let answered = client.ledger().answer_to(number);
                client
                    .send(&request(number, site, rng.bool(), 0, false))
                    .await?;
                answered.await.context("the call is not kept")?;
            }
            anyhow::Ok(())
        }
    });
    let calls: Vec<_> = calls.collect();
    futures_util::future::try_join_all(calls).await.map(drop)
}

/// Calls each upstream until it responds. Returns a text per upstream: the time and the number of calls.
///
/// # Errors
/// If an upstream does not recover.
pub(crate) async fn measure_recovery(client: &Client, sites: &[Arc<Site>]) -> Result<Vec<String>> {
    let mut recovered = Vec::new();
    for (site, server) in sites.iter().enumerate() {
        let begun = Instant::now();
        let served = async {
            for attempt in 1.. {
                let number = RECOVERY_CALLS + ((site as u64) << 20) + attempt;
                let call = Call {
                    site,
                    ..Call::default()
                };
                client.ledger().register(number, call);
                let answered = client.ledger().answer_to(number);
                client.send(&request(number, site, false, 0, false)).await?;
                answered.await.context("the call is not kept")?;
                let mut is_result = false;
                client.ledger().change(number, |call| {
                    is_result = call.answers.first() == Some(&Answer::Result);
                });
                if is_result {
                    return anyhow::Ok(attempt);
                }
                sleep(Duration::from_millis(250)).await;
            }
            bail!("no attempt left")
        };
        let name = server.kind.name();
        recovered.push(match timeout(RECOVERY_TIMEOUT, served).await {
            Ok(attempt) => format!(
                "`{name}` with call {} after {:.1?}",
                attempt?,
                begun.elapsed()
            ),
            Err(_) => {
                bail!("`{name}` does not come back within {RECOVERY_TIMEOUT:?} of the last fault")
            }
        });
    }
    Ok(recovered)
}
