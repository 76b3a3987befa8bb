//! Shows the proxy at work with nothing else installed and nothing reached but this machine.
//!
//! Starts three MCP servers, one of each kind there is, on the loopback interface, and signs in to
//! the one that wants it, as a person with a browser would; launches the real `mcp-manifold` over
//! them as a client would; lists the tools it offers and calls them.
//! It exits with 0 only when every tool was there and every answer was right.
//!
//! `cargo run --example quickstart`; with `-- --stay` the servers stay up until Ctrl-C, so that
//! the configuration printed at the end can be tried in Claude Code. `DEBUG=1` shows the
//! proxy's log.

mod authority;
mod binary;
mod client;
mod clock;
mod person;
mod print;
mod servers;
mod tour;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tempfile::TempDir;

use client::Client;
use print::Printer;
use servers::Servers;

/// How long a single step may take: far above what it takes, as the machine may be busy.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> ExitCode {
    let printer = Printer::new();
    match run(&printer).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer.failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(printer: &Printer) -> Result<()> {
    let stay = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--stay") => true,
        Some(other) => bail!("unknown argument `{other}`; the only one is `--stay`"),
    };
    let proxy = binary::find_or_build(printer).await?;
    let started = Instant::now();
    let servers = Servers::start().await?;
    printer.servers(&servers);

    let upstreams = upstreams(&servers)?;
    printer.configuration(&upstreams);
    let upstreams = format!("[{}]", upstreams.join(","));
    let home = TempDir::new().context("making a home directory for the proxy")?;
    person::sign_in(&proxy, home.path(), &upstreams, "notes").await?;
    printer.signed_in("notes");
    let mut client = Client::launch(&proxy, home.path(), &upstreams).await?;
    if let Err(error) = tour(printer, &mut client).await {
        printer.log(&client.stop().await);
        return Err(error);
    }
    client.close().await?;
    printer.success(started.elapsed());
    printer.for_claude_code(&proxy, &upstreams);
    if stay {
        printer.staying();
        tokio::signal::ctrl_c()
            .await
            .context("waiting for Ctrl-C")?;
    }
    Ok(())
}

/// What goes into `PROXY_UPSTREAMS` for one server.
#[derive(Serialize)]
struct Upstream<'a> {
    name: &'static str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignore_tools: &'static [&'static str],
}

/// The configuration, one upstream an element.
fn upstreams(servers: &Servers) -> serde_json::Result<Vec<String>> {
    let upstream = |name, url| Upstream {
        name,
        url,
        transport: None,
        ignore_tools: &[],
    };
    let weather = Upstream {
        ignore_tools: &["admin_*"],
        ..upstream("weather", &servers.weather)
    };
    let clock = Upstream {
        transport: Some("sse"),
        ..upstream("clock", &servers.clock)
    };
    let all = [weather, upstream("notes", &servers.notes), clock];
    all.iter().map(serde_json::to_string).collect()
}

async fn tour(printer: &Printer, client: &mut Client) -> Result<()> {
    let wanted: Vec<&str> = tour::STOPS.iter().map(|stop| stop.tool).collect();
    let tools = client.wait_for_tools(&wanted).await?;
    printer.tools(&tools);
    for stop in &tour::STOPS {
        let answer = client.call(stop.tool, &stop.arguments()).await?;
        printer.call(stop, &answer);
        if !answer.contains(stop.expected) {
            let (tool, expected) = (stop.tool, stop.expected);
            bail!("`{tool}` was to answer with `{expected}`");
        }
    }
    Ok(())
}
