//! An MCP server that offers all there is in the protocol, under the names that the official
//! conformance suite calls: what a proxy in front of it loses is the proxy's fault.
//!
//! `cargo run --example everything -- --port 8080 --era both` serves Streamable HTTP on
//! `http://127.0.0.1:8080/mcp` until it is killed.

mod answer;
mod asking;
mod changes;
mod contents;
mod definitions;
mod forms;
mod handler;
mod prompts;
mod resources;
mod rounds;
mod stream;
mod tools;
mod wanting;

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::sync::watch;

use changes::Counts;
use handler::Everything;

/// Serves everything that the conformance suite asks a server for.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on, on the loopback interface
    #[arg(long)]
    port: u16,
    /// The protocol revisions to speak
    #[arg(long, default_value = "both")]
    era: Era,
}

#[derive(Clone, Copy, ValueEnum)]
enum Era {
    /// Those that begin with a handshake, up to 2025-11-25
    Legacy,
    /// 2026-07-28 too
    Both,
}

impl Era {
    fn versions(self) -> &'static [ProtocolVersion] {
        match self {
            Era::Legacy => ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25),
            Era::Both => ProtocolVersion::KNOWN_VERSIONS,
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { port, era } = Arguments::parse();
    let sessions = Arc::new(LocalSessionManager::default());
    let changes = watch::Sender::new(Counts::default());
    let made_for = sessions.clone();
    let service = StreamableHttpService::new(
        move || Ok(Everything::new(era.versions(), &changes, &made_for)),
        sessions,
        StreamableHttpServerConfig::default(),
    );
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("listening on port {port}"))?;
    let router = axum::Router::new().nest_service("/mcp", service);
    axum::serve(listener, router).await.context("serving")
}
