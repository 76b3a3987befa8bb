//! The servers: one of each kind, with the same two tools, which record every call in the ledger.

mod http_sse;
mod tools;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::calls::CallLedger;
use crate::gate::Gate;
use crate::lock;
use tools::Tools;

/// The tools of each server: one without annotations, and one that declares itself idempotent.
pub(crate) const TOOLS: [&str; 2] = ["add", "put"];

/// Returns the result text of a call.
pub(crate) fn text(number: u64) -> String {
    format!("ran {number}")
}

/// The transport and revision of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Streamable HTTP with sessions and an event stream, by the official SDK.
    Legacy,
    /// Streamable HTTP of 2026-07-28, by the official SDK.
    Modern,
    /// HTTP+SSE of 2024-11-05.
    HttpSse,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Legacy, Kind::Modern, Kind::HttpSse];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::HttpSse => "sse",
        }
    }

    pub(crate) fn transport(self) -> &'static str {
        match self {
            Self::HttpSse => "sse",
            Self::Legacy | Self::Modern => "http",
        }
    }
}

/// The sessions of a server.
enum Memory {
    Sessions(Arc<LocalSessionManager>),
    Streams(http_sse::Streams),
}

/// A server behind a gate.
pub(crate) struct Site {
    pub(crate) kind: Kind,
    pub(crate) gate: Arc<Gate>,
    ledger: Arc<CallLedger>,
    /// The status that rejects every other POST; 0 for none.
    refusal: Arc<AtomicU16>,
    /// The state of the running server. std's Mutex: held for a clone, never across an await.
    running: Mutex<(Arc<Memory>, DropGuard)>,
}

/// Starts a server of each kind.
pub(crate) async fn start_all(ledger: &Arc<CallLedger>, seed: u64) -> Result<Vec<Arc<Site>>> {
    let mut sites = Vec::new();
    for kind in KINDS {
        let refusal = Arc::new(AtomicU16::new(0));
        let (address, running) = start(kind, ledger, &refusal).await?;
        sites.push(Arc::new(Site {
            kind,
            gate: Gate::open(address, seed.wrapping_add(sites.len() as u64))?,
            ledger: ledger.clone(),
            refusal,
            running: Mutex::new(running),
        }));
    }
    Ok(sites)
}

impl Site {
    pub(crate) fn url(&self) -> String {
        let path = if self.kind == Kind::HttpSse {
            "sse"
        } else {
            "mcp"
        };
        format!("http://{}/{path}", self.gate.address())
    }

    /// Rejects every other POST with this status from now on, or none.
    pub(crate) fn refuse_with(&self, status: Option<u16>) {
        self.refusal.store(status.unwrap_or(0), Ordering::Relaxed);
    }

    /// Drops all sessions and ends all streams.
    pub(crate) async fn forget(&self) {
        let memory = lock(&self.running).0.clone();
        match &*memory {
            Memory::Sessions(sessions) => sessions.sessions.write().await.clear(),
            Memory::Streams(streams) => lock(streams).clear(),
        }
    }

    /// Stops this server and starts a new one in its place.
    pub(crate) async fn restart(&self) -> Result<()> {
        let (address, running) = start(self.kind, &self.ledger, &self.refusal).await?;
        self.gate.redirect_to(address);
        *lock(&self.running) = running;
        Ok(())
    }
}

async fn start(
    kind: Kind,
    ledger: &Arc<CallLedger>,
    refusal: &Arc<AtomicU16>,
) -> Result<(SocketAddr, (Arc<Memory>, DropGuard))> {
    let stop = CancellationToken::new();
    let (router, memory) = match kind {
        Kind::HttpSse => {
            let streams = http_sse::Streams::default();
            (http_sse::router(&streams, ledger), Memory::Streams(streams))
        }
        Kind::Legacy | Kind::Modern => {
            let sessions = Arc::new(LocalSessionManager::default());
            let tools = Tools::new(kind, ledger);
            let config =
                StreamableHttpServerConfig::default().with_cancellation_token(stop.child_token());
            let config = match kind {
                Kind::Modern => config
                    .with_legacy_session_mode(false)
                    .with_stateless_protocol_metadata_required(true),
                _ => config,
            };
            let service =
                StreamableHttpService::new(move || Ok(tools.clone()), sessions.clone(), config);
            let router = axum::Router::new().nest_service("/mcp", service);
            (router, Memory::Sessions(sessions))
        }
    };
    let router = router.layer(middleware::from_fn_with_state(refusal.clone(), refuse));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("listening")?;
    let address = listener.local_addr()?;
    let stopped = stop.clone();
    tokio::spawn(async move {
        let served = axum::serve(listener, router);
        stopped
            .run_until_cancelled(async { served.await.ok() })
            .await
    });
    Ok((address, (Arc::new(memory), stop.drop_guard())))
}

/// Rejects some POSTs before the server receives them.
async fn refuse(State(refusal): State<Arc<AtomicU16>>, request: Request, next: Next) -> Response {
    let status = StatusCode::from_u16(refusal.load(Ordering::Relaxed));
    match status {
        Ok(status) if request.method() == Method::POST && fastrand::bool() => match status {
            StatusCode::INTERNAL_SERVER_ERROR => status.into_response(),
            _ => (status, [(header::RETRY_AFTER, "1")]).into_response(),
        },
        _ => next.run(request).await,
    }
}
