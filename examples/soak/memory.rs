//! Checks that the proxy's memory and descriptors do not grow.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::load::burst;
use crate::process::{Usage, usage};

/// After this many calls, all buffers and pools have reached their final size.
const WARM_UP_CALLS: u64 = 1_000;

/// How much more memory may be in use at the end than after the first thousand calls, in KiB. The
/// allocator keeps some after many concurrent calls.
const ALLOWED: u64 = 4 << 10;

/// How much more memory may be in use than after half of the calls, in KiB.
const ALLOWED_AFTER_HALF: u64 = 1 << 10;

/// How often the usage of a process is sampled.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);

/// Makes `calls` calls without faults, and compares the memory.
///
/// # Errors
/// If the memory has grown by more than [`ALLOWED`] or [`ALLOWED_AFTER_HALF`].
pub(crate) async fn run(client: &Client, calls: u64, in_flight: usize, seed: u64) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    let at = |count: u64| {
        let usage = usage(client.pid()).context("this needs /proc")?;
        println!(
            "after {count} calls: {} KiB, {} descriptors",
            usage.rss, usage.descriptors
        );
        anyhow::Ok(usage)
    };
    let begun = Instant::now();
    let (mut done, mut seen) = (0, Vec::new());
    while done < calls {
        let next = WARM_UP_CALLS.min(calls - done);
        burst(client, done, next, in_flight, &mut rng).await?;
        done += next;
        // The ledger is not used here, and would grow.
        client.ledger().clear();
        let half = calls / WARM_UP_CALLS / 2 * WARM_UP_CALLS;
        if done == WARM_UP_CALLS || done == half || done == calls {
            seen.push(at(done)?.rss);
        } else if done.is_multiple_of(20 * WARM_UP_CALLS) {
            at(done)?;
        }
    }
    println!(
        "{:.0} calls/s",
        calls as f64 / begun.elapsed().as_secs_f64()
    );
    client.close().await?;
    let [first, half, last] = seen[..] else {
        bail!("make 4000 calls at least");
    };
    for (what, before, allowed) in [
        ("the first thousand", first, ALLOWED),
        ("half of them", half, ALLOWED_AFTER_HALF),
    ] {
        let grown = last.saturating_sub(before);
        println!("grown by {grown} KiB since {what}, {allowed} allowed");
        ensure!(
            grown <= allowed,
            "the memory has grown by {grown} KiB since {what}"
        );
    }
    Ok(())
}

/// The maximum usage at the beginning and at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peaks {
    /// From 10 % to 30 % of the time.
    pub(crate) early: Usage,
    /// From 80 % of the time.
    pub(crate) late: Usage,
}

/// Samples the usage of a process.
pub(crate) struct Watch {
    task: JoinHandle<Peaks>,
    ended: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Watch {
    pub(crate) fn start(pid: u32, begun: Instant, lasts: Duration) -> Self {
        let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let is_over = ended.clone();
        let task = tokio::spawn(async move {
            let mut peaks = Peaks::default();
            while !is_over.load(Ordering::Relaxed) {
                let part = begun.elapsed().as_secs_f64() / lasts.as_secs_f64();
                let peak = match part {
                    0.1..0.3 => Some(&mut peaks.early),
                    0.8..1.0 => Some(&mut peaks.late),
                    _ => None,
                };
                if let (Some(peak), Some(now)) = (peak, usage(pid)) {
                    peak.rss = peak.rss.max(now.rss);
                    peak.descriptors = peak.descriptors.max(now.descriptors);
                }
                sleep(SAMPLE_INTERVAL).await;
            }
            peaks
        });
        Self { task, ended }
    }

    pub(crate) async fn end(self) -> Peaks {
        self.ended.store(true, Ordering::Relaxed);
        self.task.await.unwrap_or_default()
    }
}
