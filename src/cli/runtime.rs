//! How the program runs, serving or doing a command: on one thread, until it is done or a signal comes.

use std::process::ExitCode;
use std::time::Duration;

use tracing::error;

use super::exit::{BAD_CONFIGURATION, CommandError, INTERRUPTED};
use super::logging;
use super::output::eprint_line;
use crate::config::Environment;

/// How long the end may take in all.
pub(super) const SHUTDOWN_GRACE: Duration = Duration::from_millis(1500);

/// How long the first line, and a changed configuration, wait for what is remembered, which takes a few
/// milliseconds: a disk that does not answer holds nobody up.
pub(super) const CACHE_LOAD_TIMEOUT: Duration = Duration::from_millis(300);

/// Runs it to its end.
pub(super) fn run(main: impl Future<Output = ExitCode>) -> ExitCode {
    // One thread: what a call needs is so little that handing it over costs more.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // What blocks is done at the start, and hardly ever after.
        .thread_keep_alive(Duration::from_secs(1))
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(main);
            // A blocking read of a terminal cannot be cancelled, so it is left behind.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            error!(%error, "cannot start");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command until it is done or a signal comes.
pub(super) fn run_command<F>(command: impl FnOnce(Environment) -> F) -> ExitCode
where
    F: Future<Output = Result<ExitCode, CommandError>>,
{
    let environment = Environment::from_process();
    logging::command(&environment);
    run(async {
        let ended = tokio::select! {
            ended = command(environment) => ended,
            _ = shutdown_signal() => return ExitCode::from(INTERRUPTED),
        };
        let (text, code) = match ended {
            Ok(code) => return code,
            Err(CommandError::Usage(text)) => (text, ExitCode::from(BAD_CONFIGURATION)),
            Err(CommandError::Failed(text)) => (text, ExitCode::FAILURE),
        };
        eprint_line(&format!("mcp-manifold: {text}"));
        code
    })
}

/// Waits for a signal that asks us to leave.
#[cfg(unix)]
pub(super) async fn shutdown_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};

    let signals = [
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::hangup(), "SIGHUP"),
    ];
    let waiting = signals.into_iter().filter_map(|(kind, name)| {
        let mut signal = signal(kind).ok()?;
        Some(Box::pin(async move {
            signal.recv().await;
            name
        }))
    });
    futures_util::future::select_all(waiting).await.0
}

#[cfg(not(unix))]
pub(super) async fn shutdown_signal() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "interrupted",
        Err(_) => std::future::pending().await,
    }
}
