//! An MCP server that offers every feature of the protocol, under the names that the official
//! conformance suite calls. If a check fails behind a proxy only, the proxy is at fault.
//!
//! `cargo run --example everything -- --port 8080 --era both` serves Streamable HTTP on
//! `http://127.0.0.1:8080/mcp` until it is killed.

mod server;

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::watch;

use server::{Counts, Era};

/// Serves every feature that the conformance suite checks of a server.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on, on the loopback interface
    #[arg(long)]
    port: u16,
    /// The protocol revisions to speak
    #[arg(long, default_value = "both")]
    era: Era,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { port, era } = Arguments::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("listening on port {port}"))?;
    let counts = watch::Sender::new(Counts::default());
    axum::serve(listener, server::router(era, counts))
        .await
        .context("serving")
}
