//! `mcp-manifold`: serves the client on stdin and stdout until it leaves.

use std::process::ExitCode;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::debug;

use super::exit::BAD_CONFIGURATION;
use super::logging;
use super::parent::parent_gone;
use super::proxy::Proxy;
use super::reload;
use super::runtime::{self, SHUTDOWN_GRACE, signalled};
use super::watch::Watch;
use crate::config::{Config, Environment};
use crate::downstream::{ClientConnection, Departure, open_stdin, open_stdout, stdout_closed};

/// Reads the configuration and serves.
pub(super) fn run() -> ExitCode {
    let environment = Environment::from_process();
    // Before it is read, so that nothing is missed.
    let watch = Config::file(&environment).map(Watch::new);
    let config = match Config::from_environment(&environment) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("mcp-manifold: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    logging::serve(&environment, config.limits.log_rate);
    reload::report_problems(&config.problems);
    runtime::run(serve(config, environment, watch))
}

async fn serve(config: Config, environment: Environment, watch: Option<Watch>) -> ExitCode {
    let proxy = Proxy::new(config, &environment);
    if let Some(watch) = watch {
        proxy.follow(environment, watch);
    }
    let mut client = proxy.open_client(open_stdin(), open_stdout());
    let reason = run_until_shutdown(&proxy, &mut client).await;
    debug!(reason, "shutting down");
    let deadline = Instant::now() + SHUTDOWN_GRACE;
    proxy.shut_down(deadline).await;
    client.close(deadline).await;
    ExitCode::SUCCESS
}

/// Serves until there is nobody to serve any more, and says why.
async fn run_until_shutdown(proxy: &Proxy, client: &mut ClientConnection) -> &'static str {
    let speaks = &Notify::new();
    let before_line = || async move {
        proxy.before_line().await;
        speaks.notify_one();
    };
    let served = client.serve(stdout_closed(), before_line, SHUTDOWN_GRACE / 2);
    tokio::select! {
        biased;
        name = signalled() => name,
        departure = served => match departure {
            Departure::NoLongerReads => "the client no longer reads",
            Departure::ClosedOutput => "the client closed stdout",
            Departure::ClosedInput => "the client closed stdin",
        },
        () = parent_gone(speaks.notified()) => "the process that started us is gone",
    }
}
