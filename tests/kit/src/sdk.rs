//! Real servers: the official SDK with its own Streamable HTTP, and typical tools.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    ProgressNotificationParam, ProtocolVersion, RequestMetaObject, ServerCapabilities, ServerConfig,
};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{Peer, RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Endpoint, within};

/// The interval of the progress of `slow`, and of the SDK's checks for a disconnected client.
const STEP: Duration = Duration::from_millis(20);

/// A running server, stopped on drop.
pub struct Server {
    url: String,
    cancelled: watch::Sender<usize>,
    _stop: DropGuard,
}

/// Starts a server with sessions, for revisions up to 2025-11-25.
pub async fn legacy() -> Server {
    let versions = &[ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2025_06_18];
    start(versions, StreamableHttpServerConfig::default()).await
}

/// Starts a server for 2026-07-28 alone, which rejects requests without metadata.
pub async fn modern() -> Server {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_stateless_protocol_metadata_required(true);
    start(&[ProtocolVersion::V_2026_07_28], config).await
}

/// Starts a server for both eras.
pub async fn dual() -> Server {
    let versions = &[ProtocolVersion::V_2026_07_28, ProtocolVersion::V_2025_11_25];
    start(versions, StreamableHttpServerConfig::default()).await
}

async fn start(versions: &'static [ProtocolVersion], config: StreamableHttpServerConfig) -> Server {
    let stop = CancellationToken::new();
    let cancelled = watch::Sender::new(0);
    let tools = Tools {
        versions,
        cancelled: cancelled.clone(),
    };
    let service = StreamableHttpService::new(
        move || Ok(tools.clone()),
        Arc::new(LocalSessionManager::default()),
        config
            .with_sse_keep_alive(Some(STEP))
            .with_cancellation_token(stop.child_token()),
    );
    let router = axum::Router::new().nest_service("/mcp", service);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stopped = stop.clone().cancelled_owned();
    tokio::spawn(async move {
        let server = axum::serve(listener, router);
        server.with_graceful_shutdown(stopped).await
    });
    Server {
        url: format!("http://{address}/mcp"),
        cancelled,
        _stop: stop.drop_guard(),
    }
}

impl Endpoint for Server {
    fn url(&self) -> String {
        self.url.clone()
    }
}

impl Server {
    /// Waits until `count` calls of `slow` were cancelled.
    pub async fn wait_for_cancelled(&self, count: usize) {
        let cancelled = &mut self.cancelled.subscribe();
        let enough = cancelled.wait_for(|cancelled| *cancelled >= count);
        within("a call to be cancelled", enough).await.unwrap();
    }
}

#[derive(Clone)]
struct Tools {
    versions: &'static [ProtocolVersion],
    cancelled: watch::Sender<usize>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Echo {
    text: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Add {
    a: i64,
    b: i64,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Slow {
    ms: u64,
}

#[tool_router]
impl Tools {
    #[tool(description = "Says the text")]
    async fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }

    #[tool(description = "Adds two numbers", annotations(read_only_hint = true))]
    async fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> String {
        (a + b).to_string()
    }

    #[tool(description = "Takes so many milliseconds, and says how far it is")]
    async fn slow(
        &self,
        Parameters(Slow { ms }): Parameters<Slow>,
        meta: RequestMetaObject,
        client: Peer<RoleServer>,
        cancel: CancellationToken,
    ) -> String {
        let total = Duration::from_millis(ms);
        let mut elapsed = Duration::ZERO;
        while elapsed < total {
            let step = STEP.min(total - elapsed);
            if cancel
                .run_until_cancelled(tokio::time::sleep(step))
                .await
                .is_none()
            {
                self.cancelled.send_modify(|cancelled| *cancelled += 1);
                return "cancelled".to_owned();
            }
            elapsed += step;
            if let Some(token) = meta.get_progress_token() {
                let done = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
                let progress = ProgressNotificationParam::new(token, done.into());
                client.notify_progress(progress).await.ok();
            }
        }
        format!("took {ms} ms")
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.versions)
    }

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
