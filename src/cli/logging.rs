//! Logs on stderr: one line an upstream, unless `DEBUG=1` or `RUST_LOG` asks for more.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

/// What is shown by default, and with `DEBUG`.
const QUIET: &str = "mcp_manifold=info";
const VERBOSE: &str = "mcp_manifold=debug";

/// Starts logging.
pub(super) fn start(environment: &Environment) {
    let set = |name| environment.get(name).filter(|value| !value.is_empty());
    let debug = set("DEBUG").is_some_and(|value| !matches!(value, "0" | "false" | "no" | "off"));
    let default = if debug { VERBOSE } else { QUIET };
    let filter = set("RUST_LOG").and_then(|filter| EnvFilter::try_new(filter).ok());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(default)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .compact();
    // Fails only when logging was started before.
    let _ = match debug {
        true => subscriber.try_init(),
        false => subscriber.without_time().try_init(),
    };
}
