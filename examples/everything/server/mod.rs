//! The server itself, without the command line: tests run it too.

mod answer;
mod changes;
mod contents;
mod definitions;
mod forms;
mod handler;
mod input_required;
mod legacy_input;
mod prompts;
mod resources;
mod rounds;
mod stream;
mod tools;

use std::sync::Arc;

use clap::ValueEnum;
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::watch;

pub(crate) use changes::Counts;
use handler::Everything;

/// The protocol revisions that the server supports.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Era {
    /// The revisions with an `initialize` handshake, up to 2025-11-25
    Legacy,
    /// These and 2026-07-28
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

/// Serves `/mcp`, and keeps `counts` up to date.
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
