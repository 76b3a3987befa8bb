//! `mcp-manifold` without a command: serves the client on stdin and stdout until it disconnects.

use std::process::ExitCode;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::debug;

use super::exit::BAD_CONFIGURATION;
use super::logging;
use super::parent::parent_gone;
use super::proxy::Proxy;
use super::reload;
use super::runtime::{self, SHUTDOWN_GRACE, shutdown_signal};
use super::watch::FileWatcher;
use crate::config::{Config, Environment};
use crate::downstream::{
    ClientConnection, DisconnectReason, open_stdin, open_stdout, stdout_closed,
};

/// Reads the configuration and serves.
pub(super) fn run() -> ExitCode {
    let environment = Environment::from_process();
    // Created before the file is read, so that no change is missed.
    let watcher = Config::file(&environment).map(FileWatcher::new);
    let config = match Config::from_environment(&environment) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("mcp-manifold: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    logging::serve(&environment, config.limits.log_rate);
    reload::report_problems(&config.problems);
    runtime::run(serve(config, environment, watcher))
}

async fn serve(config: Config, environment: Environment, watcher: Option<FileWatcher>) -> ExitCode {
    let proxy = Proxy::new(config, &environment);
    if let Some(watcher) = watcher {
        proxy.reload_on_change(environment, watcher);
    }
    let mut client = proxy.open_client(open_stdin(), open_stdout());
    let reason = run_until_shutdown(&proxy, &mut client).await;
    debug!(reason, "shutting down");
    let deadline = Instant::now() + SHUTDOWN_GRACE;
    proxy.shut_down(deadline).await;
    client.close(deadline).await;
    ExitCode::SUCCESS
}

/// Serves the client until it disconnects or a signal arrives. Returns the reason.
async fn run_until_shutdown(proxy: &Proxy, client: &mut ClientConnection) -> &'static str {
    let line_received = &Notify::new();
    let prepare_for_line = || async move {
        proxy.prepare_for_line().await;
        line_received.notify_one();
    };
    let served = client.serve(stdout_closed(), prepare_for_line, SHUTDOWN_GRACE / 2);
    tokio::select! {
        biased;
        name = shutdown_signal() => name,
        departure = served => match departure {
            DisconnectReason::WriteFailed => "the client no longer reads",
            DisconnectReason::OutputClosed => "the client closed stdout",
            DisconnectReason::InputClosed => "the client closed stdin",
        },
        () = parent_gone(line_received.notified()) => "the parent process has exited",
    }
}
