//! Prints the steps as plain text, with colours on a terminal unless `NO_COLOR` is set.

// This file exists to print.
#![allow(clippy::print_stdout)]

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use rmcp::model::Tool;
use serde_json::{Value, json};

use crate::servers::Servers;
use crate::tour::{STEPS, TourStep};

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// Prints the steps of the quickstart.
pub(crate) struct Printer {
    colours: bool,
}

impl Printer {
    pub(crate) fn new() -> Self {
        // https://no-color.org: any value but the empty one turns colours off.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colours: !refused && std::io::stdout().is_terminal(),
        }
    }

    fn paint(&self, colour: &str, text: impl Display) -> String {
        match self.colours {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }

    fn heading(&self, text: &str) {
        println!("\n{}", self.paint(BOLD, text));
    }

    pub(crate) fn building(&self, binary: &Path) {
        let binary = binary.display();
        println!("Building the proxy: `{binary}` is missing or older than its sources.");
    }

    pub(crate) fn servers(&self, servers: &Servers) {
        self.heading("Three MCP servers on this machine, each of another kind");
        for (name, url, kind) in [
            (
                "weather",
                &servers.weather,
                "Streamable HTTP, 2026-07-28, stateless",
            ),
            (
                "notes",
                &servers.notes,
                "Streamable HTTP, 2025-11-25, with sessions, behind OAuth",
            ),
            ("clock", &servers.clock, "HTTP+SSE, 2024-11-05"),
        ] {
            let name = self.paint(CYAN, format!("{name:8}"));
            println!("  {name} {url:30} {}", self.paint(DIM, kind));
        }
    }

    pub(crate) fn configuration(&self, upstreams: &[String]) {
        self.heading("One proxy in front of them, with this in PROXY_UPSTREAMS");
        println!("  [\n    {}\n  ]", upstreams.join(",\n    "));
    }

    pub(crate) fn signed_in(&self, name: &str) {
        self.heading("A sign-in, for which a script was the browser");
        println!("  mcp-manifold login {name} --no-browser");
    }

    pub(crate) fn tools(&self, tools: &[Tool]) {
        self.heading("The tools it offers");
        for tool in tools {
            let step = STEPS.iter().find(|step| step.tool == tool.name);
            let (server, note) = step.map_or(("", ""), |step| (step.server, step.note));
            let name = self.paint(GREEN, format!("{:14}", tool.name));
            let server = self.paint(CYAN, format!("{server:8}"));
            let description = tool.description.as_deref().unwrap_or_default();
            println!("  {name} {server} {description}");
            if !note.is_empty() {
                println!(
                    "  {:14} {:8} {}",
                    "",
                    "",
                    self.paint(DIM, format!("({note})"))
                );
            }
        }
        let hidden = "(weather's `admin_reset` is hidden by `ignore_tools`)";
        println!("  {}", self.paint(DIM, hidden));
        self.heading("A call of each");
    }

    pub(crate) fn call(&self, step: &TourStep, answer: &str) {
        let name = self.paint(GREEN, format!("{:14}", step.tool));
        println!("  {name} {}", Value::Object(step.arguments()));
        println!("  {:14} {}", "", self.paint(BOLD, answer));
    }

    pub(crate) fn success(&self, elapsed: Duration) {
        let text = format!("Everything as expected, in {:.1} s.", elapsed.as_secs_f64());
        println!("\n{}", self.paint(GREEN, text));
    }

    pub(crate) fn for_claude_code(&self, proxy: &Path, upstreams: &str) {
        let proxy = proxy.to_string_lossy();
        self.heading("In Claude Code, with the URLs of your own servers");
        println!("claude mcp add manifold --env PROXY_UPSTREAMS='{upstreams}' -- {proxy:?}");
        self.heading("Or in .mcp.json");
        let environment = json!({"PROXY_UPSTREAMS": upstreams});
        let server = json!({"command": proxy, "env": environment});
        println!("{:#}", json!({"mcpServers": {"manifold": server}}));
    }

    pub(crate) fn staying(&self) {
        self.heading("The servers stay up; Ctrl-C ends them.");
    }

    /// Prints the log of the proxy after a failure.
    pub(crate) fn log(&self, log: &str) {
        if !log.trim().is_empty() {
            self.heading("The proxy's log");
            println!("{}", self.paint(DIM, log.trim_end()));
        }
    }

    pub(crate) fn failure(&self, error: &anyhow::Error) {
        eprintln!("\n{} {error:#}", self.paint(RED, "Failed:"));
    }
}
