//! The three servers.
//!
//! `weather` and `notes` are servers of the official SDK over Streamable HTTP. One is of the modern
//! era, and one of the legacy era. `notes` requires a sign-in at an [`Authority`]; `clock` is in
//! [`clock`].

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ProtocolVersion, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use tokio::net::TcpListener;

use crate::authority::Authority;
use crate::clock;

/// The urls of the servers, which run until the program ends.
pub(crate) struct Servers {
    pub(crate) weather: String,
    pub(crate) notes: String,
    pub(crate) clock: String,
}

impl Servers {
    /// Starts all three and the authorization server, each on a port that the system chooses.
    pub(crate) async fn start() -> Result<Self> {
        // The modern era has no sessions: each request contains its context.
        let modern = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_stateless_protocol_metadata_required(true);
        let legacy = StreamableHttpServerConfig::default();
        let (listener, issuer) = listen().await?;
        let authority = Authority::new(&issuer);
        serve(listener, authority.router());
        let notes = authority.protect(router(with_notes(), legacy));
        Ok(Self {
            weather: start(router(|| Weather, modern), "/mcp").await?,
            notes: start(notes, "/mcp").await?,
            clock: start(clock::router(), "/sse").await?,
        })
    }
}

fn router<S: ServerHandler>(
    new: impl Fn() -> S + Send + Sync + 'static,
    config: StreamableHttpServerConfig,
) -> axum::Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(new()), sessions, config);
    axum::Router::new().nest_service("/mcp", service)
}

async fn start(router: axum::Router, path: &str) -> Result<String> {
    let (listener, origin) = listen().await?;
    serve(listener, router);
    Ok(origin + path)
}

async fn listen() -> Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.context("opening a port on 127.0.0.1")?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

fn serve(listener: TcpListener, router: axum::Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// City, degrees Celsius, sky.
const FORECASTS: [(&str, i32, &str); 5] = [
    ("Lisbon", 24, "sunny"),
    ("Oslo", 9, "rain, clearing later"),
    ("Reykjavík", 3, "wind and sleet"),
    ("Seoul", 18, "light clouds"),
    ("Wellington", 14, "gusty, as ever"),
];

#[derive(Clone)]
struct Weather;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct City {
    /// The English name of the city.
    city: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Text {
    text: String,
}

#[tool_router]
impl Weather {
    #[tool(
        description = "The weather in a city today",
        annotations(read_only_hint = true)
    )]
    async fn forecast(&self, Parameters(City { city }): Parameters<City>) -> String {
        let mut forecasts = FORECASTS.iter();
        match forecasts.find(|(name, ..)| name.eq_ignore_ascii_case(&city)) {
            Some((name, degrees, sky)) => format!("{name}: {degrees} °C, {sky}"),
            None => format!("no station in {city}"),
        }
    }

    #[tool(
        description = "Finds cities by a part of their name",
        annotations(read_only_hint = true)
    )]
    async fn search(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        let found = FORECASTS.iter().map(|(name, ..)| *name);
        joined(found.filter(|name| contains(name, &text)))
    }

    #[tool(description = "Forgets all measurements")]
    async fn admin_reset(&self) -> String {
        "the configuration hides this tool".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Weather {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&[ProtocolVersion::V_2026_07_28])
    }

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions("Five cities; ask `search` which.")
    }
}

#[derive(Clone, Default)]
struct Notes {
    // std's Mutex: held for one operation, never across an await.
    notes: Arc<Mutex<Vec<String>>>,
}

/// Makes the server of each session; they share their notes.
fn with_notes() -> impl Fn() -> Notes {
    let notes = Notes::default();
    move || notes.clone()
}

#[tool_router]
impl Notes {
    #[tool(description = "Keeps a note")]
    async fn add_note(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(text);
        format!("kept as note {}", notes.len())
    }

    #[tool(
        description = "Finds notes by a part of their text",
        annotations(read_only_hint = true)
    )]
    async fn search(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        joined(
            notes
                .iter()
                .map(String::as_str)
                .filter(|note| contains(note, &text)),
        )
    }
}

#[tool_handler]
impl ServerHandler for Notes {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&[ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2025_06_18])
    }

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions("Notes last as long as this server.")
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

fn joined<'a>(found: impl Iterator<Item = &'a str>) -> String {
    match found.collect::<Vec<_>>() {
        none if none.is_empty() => "nothing found".to_owned(),
        found => found.join(", "),
    }
}
