//! The command line: what to do, and how it ends. One file a command.

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
The configuration is taken from the environment:
  PROXY_UPSTREAMS          JSON: the remote servers, or @PATH of a file with them
  PROXY_URL                the url of a single remote server, instead; with it go
                           PROXY_NAME, PROXY_TRANSPORT (http-first, http, sse, sse-first),
                           PROXY_INCLUDE_TOOLS and PROXY_IGNORE_TOOLS (globs, by commas),
                           PROXY_INCLUDE_PROMPTS and PROXY_IGNORE_PROMPTS,
                           PROXY_INCLUDE_RESOURCES and PROXY_IGNORE_RESOURCES
  PROXY_TIMEOUT            how long a call may go without a sign of life (5m)
  PROXY_FIRST_BYTE_TIMEOUT how long an answer may take to begin (PROXY_TIMEOUT)
  PROXY_CONNECT_TIMEOUT    how long making a connection may take (10s)
  PROXY_KEEP_ALIVE         after how much silence an HTTP+SSE stream is pinged (50s; off)
  PROXY_STARTUP_WAIT       how long the first listing waits for servers (5s)
  PROXY_CONNECT_WAIT       how long a call waits for a server that is away (25s)
  PROXY_MAX_MESSAGE_BYTES  the largest message that passes (256M)
  PROXY_TOOL_NAME_LENGTH   the longest tool name that the client takes (64)
  PROXY_INPUT_WAIT         how long a call waits for input that its server asks for (10m)
  PROXY_PARKED_CALLS       how many calls may wait for that at a time (256)
  PROXY_MAX_CALLS          how many requests may be under way in all (2048)
  PROXY_UPSTREAM_CALLS     how many calls run at one server at a time (512)
  PROXY_QUEUED_CALLS       how many more wait there for their turn (1024)
  PROXY_ANSWER_MEMORY      how many bytes wait for a client that reads slowly (64M)
  PROXY_LOG_RATE           how many lines a second are logged for long (100)
  PROXY_REMEMBER           whether what servers offer is kept for the next start (on)
  PROXY_<NAME>_CLIENT_ID   the client that a server knows, <NAME> being the server's name
                           in upper case with _ for punctuation; with it may go
                           PROXY_<NAME>_CLIENT_SECRET
  MCP_MANIFOLD_HOME        where logins and listings are kept (~/.mcp-manifold)
  DEBUG=1                  log every message's way on stderr
  RUST_LOG                 which log messages to show, for example mcp_manifold=trace

Example:
  PROXY_UPSTREAMS='[{\"name\":\"docs\",\"url\":\"https://mcp.example.com/mcp\"}]' mcp-manifold

A client starts it by itself; see docs/configuration.md for every key, and docs/commands.md
for the commands. They read the same variables.";

/// Joins remote MCP servers into one stdio MCP server, and serves it when no command is given
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
    // A client starts us without arguments, and waits.
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
