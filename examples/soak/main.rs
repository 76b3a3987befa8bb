//! Puts the real proxy before three servers that fail in every way at random, keeps calls going, and
//! judges at the end whether each call was answered as it should be.
//!
//! `cargo run --release --example soak` takes ten minutes, `-- --seconds 20` as many seconds as it says.
//! `-- --calls 100000` makes so many calls without any fault, and compares the proxy's memory after the
//! first thousand with that at the end. Exit status 0 means that all held. The seed is printed; with
//! `--seed` the same faults and calls are drawn again, though not at the same instants.

// What it finds is for whoever runs it.
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

use calls::Book;
use client::Client;
use faults::Faults;
use judge::Verdict;
use servers::Site;

/// How long the proxy may take to answer what is under way when the load ends: longer than it
/// waits for anything, by its settings in `process`.
const DRAIN: Duration = Duration::from_secs(45);

/// How long everything but the load may take: starting, waiting for the last answers, ending.
const MARGIN: Duration = Duration::from_secs(150);

/// How long one call may take in the mode without faults.
const PER_CALL: Duration = Duration::from_millis(20);

/// Tries the proxy under faults, or its memory over many calls.
#[derive(Parser)]
struct Arguments {
    /// How long to keep calls going
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Make so many calls instead, without faults, and watch the memory
    #[arg(long, conflicts_with = "seconds")]
    calls: Option<u64>,
    /// Draw the same faults and calls as the run that printed this
    #[arg(long)]
    seed: Option<u64>,
    /// The proxy's binary; else it is built in the profile of this program
    #[arg(long)]
    proxy: Option<PathBuf>,
    /// How many calls are under way at a time
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
    // Whatever happens, this ends.
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
    let book = Arc::new(Book::default());
    let sites = servers::start_all(&book, seed).await?;
    let client = Client::launch(&proxy, &sites, &book).await?;
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
    let back = load::all_served(client, sites).await?;
    let stderr = client.stderr_bytes();
    let status = client.close().await?;
    let verdict = Verdict {
        book: client.book(),
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

/// Nothing is held while this is waited for.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
