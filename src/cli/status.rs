//! `mcp-manifold status`: shows the state of each upstream and its login.

mod report;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::connections::Connections;
use super::exit::CommandError;
use super::output::{eprint_line, print_result};
use super::selection::UpstreamSelector;
use crate::config::{self, Environment, Limits, Severity};
use crate::oauth::{LoginMode, Timestamp};
use report::{Report, Row, ServerCheck};

/// How long the servers may take to respond; they are checked at the same time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  mcp-manifold status            every server of the configuration
  mcp-manifold status linear     only this server
  mcp-manifold status --offline  the stored data, without connecting to a server
  mcp-manifold status --json     for programs; see docs/commands.md

Opens no browser and starts no login. The exit status is 0 if there is no problem, 1 if a server has
a problem, and 2 if the arguments or the configuration are wrong.";

/// Show each server, and whether you are signed in
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    selector: UpstreamSelector,
    /// Connect to no server; show the stored data
    #[arg(long)]
    offline: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Shows the state of the selected upstreams.
pub(super) async fn run(
    arguments: Arguments,
    environment: Environment,
) -> Result<ExitCode, CommandError> {
    let config = arguments.selector.configuration(&environment)?;
    let limits = config.limits;
    let has_errors = config
        .problems
        .iter()
        .any(|it| it.severity == Severity::Error);
    let problems: Vec<_> = config.problems.iter().map(ToString::to_string).collect();
    if !arguments.json {
        for problem in &problems {
            eprint_line(&format!("mcp-manifold: {problem}"));
        }
    }
    let upstreams = arguments.selector.select(config.upstreams)?;
    let connections = Connections::new(&environment, LoginMode::Never)?;
    let rows = upstreams
        .into_iter()
        .map(|upstream| row(&connections, upstream, limits.clone(), arguments.offline));
    let rows = join_all(rows).await;
    connections.close().await;
    let report = Report {
        upstreams: rows,
        problems,
    };
    print_result(&match arguments.json {
        true => report.json(),
        false => table::table(&report.upstreams, Timestamp::now()),
    });
    let is_ok = !has_errors && report.upstreams.iter().all(Row::has_no_problem);
    Ok(ExitCode::from(u8::from(!is_ok)))
}

/// Connects to an upstream, and returns its state.
async fn row(
    connections: &Connections,
    config: config::Upstream,
    limits: Limits,
    offline: bool,
) -> Row {
    let authorizer = connections.authorizer(&config);
    let cache_enabled = limits.remember;
    let check = match offline {
        true => ServerCheck::Skipped,
        false => {
            let upstream = connections.connect(config.clone(), authorizer.clone(), limits);
            match timeout(CONNECT_TIMEOUT, upstream.wait_until_listed(0)).await {
                Ok(Ok((connection, listing))) => ServerCheck::Connected(connection, listing),
                Ok(Err(failure)) => ServerCheck::Failed(failure.cause),
                Err(_) => ServerCheck::TimedOut(CONNECT_TIMEOUT),
            }
        }
    };
    // Read after connecting, which may have renewed the token.
    let stored = match &authorizer {
        Some(authorizer) => authorizer.status().await,
        None => Ok(None),
    };
    let remembered = match cache_enabled {
        true => connections.cache().summary(&config).await,
        false => None,
    };
    Row::new(&config, &check, stored, remembered, Timestamp::now())
}
