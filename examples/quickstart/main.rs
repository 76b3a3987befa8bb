//! Shows the proxy at work, without other programs and without a network.
//!
//! The example starts three MCP servers on the loopback interface, one of each kind. It signs in to the
//! server that requires it, as a user with a browser would. It launches `mcp-manifold` as a client
//! would, lists the tools and calls them.
//! The exit status is 0 only if every tool was listed and every result was right.
//!
//! `cargo run --example quickstart` runs it. With `-- --stay`, the servers stay up until Ctrl-C. You can
//! then try the configuration printed at the end in Claude Code. `DEBUG=1` shows the proxy's log.

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

/// How long a single step may take: much longer than usual, because the machine may be busy.
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

/// The entry of one server in `PROXY_UPSTREAMS`.
#[derive(Serialize)]
struct Upstream<'a> {
    name: &'static str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignore_tools: &'static [&'static str],
}

/// Returns the entries of `PROXY_UPSTREAMS`, one per server.
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
    let expected: Vec<&str> = tour::STEPS.iter().map(|step| step.tool).collect();
    let tools = client.wait_for_tools(&expected).await?;
    printer.tools(&tools);
    for step in &tour::STEPS {
        let answer = client.call(step.tool, &step.arguments()).await?;
        printer.call(step, &answer);
        if !answer.contains(step.expected) {
            let (tool, expected) = (step.tool, step.expected);
            bail!("the result of `{tool}` lacks `{expected}`");
        }
    }
    Ok(())
}
