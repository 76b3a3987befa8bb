//! The command line: parses arguments and runs a command. One file per command.

mod connections;
mod exit;
mod logging;
mod login;
mod logout;
mod output;
mod parent;
mod proxy;
mod reload;
mod runtime;
mod selection;
mod serve;
mod status;
mod upstream_factory;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use proxy::Proxy;
use runtime::run_command;

const AFTER_HELP: &str = "\
The configuration is read from environment variables:
  PROXY_UPSTREAMS          the remote servers as JSON, or @PATH of a file with them
  PROXY_URL                the url of a single remote server instead, to be used with
                           PROXY_NAME, PROXY_TRANSPORT (http-first, http, sse, sse-first),
                           PROXY_INCLUDE_TOOLS and PROXY_IGNORE_TOOLS (globs with commas),
                           PROXY_INCLUDE_PROMPTS and PROXY_IGNORE_PROMPTS,
                           PROXY_INCLUDE_RESOURCES and PROXY_IGNORE_RESOURCES
  PROXY_TIMEOUT            idle timeout of a call: the longest silence of the server (5m)
  PROXY_FIRST_BYTE_TIMEOUT how long a response may take to begin (PROXY_TIMEOUT)
  PROXY_CONNECT_TIMEOUT    how long connecting may take (10s)
  PROXY_KEEP_ALIVE         how long an HTTP+SSE stream is idle before a ping (50s; off)
  PROXY_STARTUP_WAIT       how long the first listing waits for servers (5s)
  PROXY_CONNECT_WAIT       how long a call waits for a disconnected server (25s)
  PROXY_MAX_MESSAGE_BYTES  the maximum size of a message (256M)
  PROXY_TOOL_NAME_LENGTH   the maximum length of a tool name (64)
  PROXY_INPUT_WAIT         how long a call waits for input that its server requests (10m)
  PROXY_PARKED_CALLS       how many calls may wait for input at a time (256)
  PROXY_MAX_CALLS          how many requests may be in flight in all (2048)
  PROXY_UPSTREAM_CALLS     how many calls to one server may run at a time (512)
  PROXY_QUEUED_CALLS       how many more calls to one server are queued (1024)
  PROXY_ANSWER_MEMORY      how many bytes are buffered for a slow client (64M)
  PROXY_LOG_RATE           how many lines are logged per second on average (100)
  PROXY_REMEMBER           whether listings are cached on disk for the next start (on)
  PROXY_<NAME>_CLIENT_ID   the client id registered at a server; <NAME> is the server's
                           name in upper case with _ for punctuation; optionally with
                           PROXY_<NAME>_CLIENT_SECRET
  MCP_MANIFOLD_HOME        the folder for logins and cached listings (~/.mcp-manifold)
  DEBUG=1                  log each message on stderr
  RUST_LOG                 which log messages to show, for example mcp_manifold=trace

Example:
  PROXY_UPSTREAMS='[{\"name\":\"docs\",\"url\":\"https://mcp.example.com/mcp\"}]' mcp-manifold

An MCP client starts the program without a command. The commands read the same variables.
See docs/configuration.md for every key, and docs/commands.md for the commands.";

/// Joins remote MCP servers into one stdio MCP server, and serves it if no command is given
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Login(login::Arguments),
    Logout(logout::Arguments),
    Status(status::Arguments),
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    // A client starts the proxy without arguments: skip the time to parse them.
    if std::env::args_os().len() <= 1 {
        return serve::run();
    }
    match Arguments::parse().command {
        None => serve::run(),
        Some(Command::Login(arguments)) => run_command(|it| login::run(arguments, it)),
        Some(Command::Logout(arguments)) => run_command(|it| logout::run(arguments, it)),
        Some(Command::Status(arguments)) => run_command(|it| status::run(arguments, it)),
    }
}

#[cfg(test)]
mod tests {
    use super::AFTER_HELP;
    use crate::config::VARIABLES;

    #[test]
    fn the_help_names_every_variable() {
        for variable in VARIABLES {
            assert!(AFTER_HELP.contains(variable.name), "{}", variable.name);
        }
    }
}
