//! The server itself, apart from the program around it: tests run it too.

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

use std::sync::Arc;

use clap::ValueEnum;
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::watch;

pub(crate) use changes::Counts;
use handler::Everything;

/// The protocol revisions that a server speaks.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Era {
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

/// Serves everything at `/mcp`; `counts` are kept up to date.
pub(crate) fn router(era: Era, counts: watch::Sender<Counts>) -> axum::Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let made_for = sessions.clone();
    let service = StreamableHttpService::new(
        move || Ok(Everything::new(era.versions(), &counts, &made_for)),
        sessions,
        StreamableHttpServerConfig::default(),
    );
    axum::Router::new().nest_service("/mcp", service)
}
