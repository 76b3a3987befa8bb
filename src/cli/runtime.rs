//! Runs the proxy or a command on one thread, until it is done or a signal arrives.

use std::process::ExitCode;
use std::time::Duration;

use tracing::error;

use super::exit::{BAD_CONFIGURATION, CommandError, INTERRUPTED};
use super::logging;
use super::output::eprint_line;
use crate::config::Environment;

/// How long a shutdown may take in all.
pub(super) const SHUTDOWN_GRACE: Duration = Duration::from_millis(1500);

/// How long the first line and a hot reload wait for cached listings. Loading takes a few milliseconds; a
/// disk that hangs must not delay the client.
pub(super) const CACHE_LOAD_TIMEOUT: Duration = Duration::from_millis(300);

/// Runs `main` to its end.
pub(super) fn run(main: impl Future<Output = ExitCode>) -> ExitCode {
    // One thread: a call needs so little time that moving it to another thread costs more.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Blocking work is done at the start, and rarely afterwards.
        .thread_keep_alive(Duration::from_secs(1))
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(main);
            // A blocking read of a terminal cannot be cancelled; do not wait for it.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            error!(%error, "cannot start");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command until it is done or a signal arrives.
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

/// Waits for a signal to shut down. Returns the name of the signal.
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
