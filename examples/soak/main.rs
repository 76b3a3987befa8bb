//! Runs the proxy in front of three servers with random faults, and keeps calls in flight. Checks at the
//! end whether each call got the right response.
//!
//! `cargo run --release --example soak` takes ten minutes; `-- --seconds 20` sets the time.
//! `-- --calls 100000` makes that many calls without faults. It compares the proxy's memory after the
//! first thousand calls with that at the end. Exit status 0 means that all checks passed. The seed is
//! printed; `--seed` repeats its faults and calls, though not at the same instants.

// The results are printed for the user.
#![allow(clippy::print_stdout)]

mod calls;
mod client;
mod faults;
mod gate;
mod judge;
mod load;
mod memory;
mod process;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use tokio::time::{Instant, timeout};

use calls::CallLedger;
use client::Client;
use faults::Faults;
use judge::Verdict;
use servers::Site;

/// How long the proxy may take to answer the calls in flight when the load ends.
///
/// It is longer than all timeouts of the proxy in `process`.
const DRAIN: Duration = Duration::from_secs(45);

/// How long the rest of a run may take: starting, waiting for the last responses, stopping.
const MARGIN: Duration = Duration::from_secs(150);

/// How long one call may take in the mode without faults.
const PER_CALL: Duration = Duration::from_millis(20);

/// Tests the proxy under faults, or its memory over many calls
#[derive(Parser)]
struct Arguments {
    /// How many seconds to keep calls in flight
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Make this many calls instead, without faults, and check the memory
    #[arg(long, conflicts_with = "seconds")]
    calls: Option<u64>,
    /// The seed of a previous run, to repeat its faults and calls
    #[arg(long)]
    seed: Option<u64>,
    /// The proxy's binary; by default it is built in the profile of this program
    #[arg(long)]
    proxy: Option<PathBuf>,
    /// How many calls are in flight at a time
    #[arg(long, default_value_t = 50)]
    in_flight: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let load = match arguments.calls {
        Some(calls) => PER_CALL.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX)),
        None => Duration::from_secs(arguments.seconds),
    };
    // A deadline for the whole run.
    let ended = timeout(load + MARGIN, run(&arguments)).await;
    let ended = ended.unwrap_or_else(|_| Err(anyhow::anyhow!("it did not end in time")));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let proxy = match &arguments.proxy {
        Some(proxy) => proxy.clone(),
        None => process::find_or_build().await?,
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let ledger = Arc::new(CallLedger::default());
    let sites = servers::start_all(&ledger, seed).await?;
    let client = Client::launch(&proxy, &sites, &ledger).await?;
    client.handshake(sites.len() * servers::TOOLS.len()).await?;
    match arguments.calls {
        Some(calls) => memory::run(&client, calls, arguments.in_flight, seed).await,
        None => soak(&client, &sites, arguments, seed).await,
    }
}

async fn soak(
    client: &Client,
    sites: &[Arc<Site>],
    arguments: &Arguments,
    seed: u64,
) -> Result<()> {
    let (begun, lasts) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let faults = Faults::start(sites, seed);
    let watch = memory::Watch::start(client.pid(), begun, lasts);
    load::keep_going(client, begun + lasts, arguments.in_flight, seed).await?;
    let injected = faults.end().await;
    let unanswered = client.drained(DRAIN).await;
    let usage = watch.end().await;
    let back = load::measure_recovery(client, sites).await?;
    let stderr = client.stderr_bytes();
    let status = client.close().await?;
    let verdict = Verdict {
        ledger: client.ledger(),
        sites,
        seconds: arguments.seconds,
        injected,
        strange: client.strange(),
        unanswered,
        usage,
        back,
        stderr,
        status,
    };
    let failures = verdict.print();
    if failures > 0 {
        bail!("{failures} of the checks failed, with the seed {seed}");
    }
    Ok(())
}

/// Locks a mutex that is never held across an await.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
