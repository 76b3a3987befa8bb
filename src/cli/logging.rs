//! Logs on stderr: one line per upstream, unless `DEBUG=1` or `RUST_LOG` sets another level.

mod rate_limit;

use std::fmt::Debug;
use std::io::IsTerminal as _;

use tracing::field::Field;
use tracing::warn;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use rate_limit::RateLimited;

use crate::config::Environment;

/// The default filters: while serving, for commands (which print their own messages), and with `DEBUG`.
const SERVING: &str = "mcp_manifold=info";
const COMMAND: &str = "mcp_manifold=error";
const VERBOSE: &str = "mcp_manifold=debug";

/// Starts the log while serving. Lines over the rate, and lines that are not read, are dropped.
pub(super) fn serve(environment: &Environment, per_second: usize) {
    let writer = RateLimited::new(per_second);
    start(environment, SERVING, BoxMakeWriter::new(writer));
}

/// Starts the log of a command.
pub(super) fn command(environment: &Environment) {
    start(environment, COMMAND, BoxMakeWriter::new(std::io::stderr));
}

fn start(environment: &Environment, quiet: &str, writer: BoxMakeWriter) {
    let debug = environment
        .get("DEBUG")
        .is_some_and(|value| !matches!(value, "0" | "false" | "no" | "off"));
    let default = if debug { VERBOSE } else { quiet };
    let filter = environment
        .get("RUST_LOG")
        .map(EnvFilter::try_new)
        .transpose();
    let (filter, unreadable) = match filter {
        Ok(filter) => (filter, None),
        Err(error) => (None, Some(error)),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(default)))
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(debug_fn(write_field).delimited(" "))
        .compact();
    // Fails only if a log was started before.
    let _ = match debug {
        true => subscriber.try_init(),
        false => subscriber.without_time().try_init(),
    };
    if let Some(error) = unreadable {
        warn!(%error, "RUST_LOG: not used; write as in `mcp_manifold=debug`");
    }
}

/// Writes one field without line breaks. Text from an upstream or a client must not begin a new log line
/// or move the cursor.
fn write_field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    if field.name() != "message" {
        write!(out, "{field}=")?;
    }
    for c in format!("{value:?}").chars() {
        match c.is_control() {
            true => write!(out, "{}", c.escape_default())?,
            false => out.write_char(c)?,
        }
    }
    Ok(())
}
