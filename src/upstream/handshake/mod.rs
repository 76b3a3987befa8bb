//! The handshake, which detects an upstream's transport and era (MCP 2026-07-28 § Versioning, Backward
//! Compatibility). It tries, in this order:
//!
//! 1. `server/discover`, the modern probe, which has no side effect;
//! 2. `initialize` by Streamable HTTP;
//! 3. the event stream of HTTP+SSE.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tracing::debug;

use super::connection::Connection;
use super::error::TransportError;
use super::flow::request_context::RequestContext;
use super::transport::Transport;
use super::transport::http::Http;
use super::transport::http_sse::HttpSse;
use super::transport::http_sse::stream::HttpSseStream;
use super::transport::refusal_hint::RefusalHint;
use super::transport::streamable_http::{DISCOVER, StreamableHttp};
use super::transport::streamable_http_legacy::StreamableHttpLegacy;
use crate::config::TransportChoice;
use crate::net::ConnectTracker;
use crate::protocol::ClientProfile;
use crate::protocol::Request;
use crate::protocol::ServerProfile;
use crate::protocol::revision::LEGACY;
use crate::upstream::transport::request_id::next_id;
use crate::wire::Message;

mod response;

use response::{
    Probe, parse_discover, parse_initialize, rejects_supported_version, suggests_http_sse,
};

/// How long one step may take, without the time to connect. All steps together take less than the 30 s that
/// clients wait for a server.
const STEP_TIMEOUT: Duration = Duration::from_secs(9);

/// A new connection, and for HTTP+SSE the event stream, which the caller must read.
pub(crate) type Connected = (Connection, Option<HttpSseStream>);

/// The input of a handshake.
pub(crate) struct Handshake<'a> {
    pub(crate) transport: TransportChoice,
    pub(crate) client: &'a Arc<ClientProfile>,
    pub(crate) generation: u64,
    /// Called when the upstream sends anything.
    pub(crate) on_response: &'a (dyn Fn() + Sync),
}

impl Handshake<'_> {
    /// Connects with the configured transports, in their order.
    ///
    /// # Errors
    /// [`TransportError`]; if two transports fail, the error of the first.
    pub(crate) async fn connect(
        &self,
        new_http: impl Fn() -> Http,
    ) -> Result<Connected, TransportError> {
        match self.transport {
            TransportChoice::Http => self.connect_streamable_http(new_http()).await,
            TransportChoice::Sse => self.connect_http_sse(&new_http()).await,
            TransportChoice::HttpFirst => match self.connect_streamable_http(new_http()).await {
                Err(first) if suggests_http_sse(&first) => {
                    self.connect_http_sse(&new_http()).await.map_err(|_| first)
                }
                other => other,
            },
            TransportChoice::SseFirst => match self.connect_http_sse(&new_http()).await {
                Err(first) if !first.requires_user_action() => self
                    .connect_streamable_http(new_http())
                    .await
                    .map_err(|_| first),
                other => other,
            },
        }
    }

    async fn connect_streamable_http(&self, http: Http) -> Result<Connected, TransportError> {
        let modern = StreamableHttp::new(http);
        match self.probe(&modern).await? {
            Probe::Modern(profile) => {
                let transport = Transport::StreamableHttp(modern.into());
                Ok((self.new_connection(profile, transport), None))
            }
            Probe::Legacy => self.initialize(modern.into_http()).await,
            Probe::Unclear => match self.initialize(modern.clone_http()).await {
                // The server may have restarted between the probe and `initialize`.
                Err(refusal)
                    if RefusalHint::from_error(&refusal) == Some(RefusalHint::OtherEra) =>
                {
                    match self.probe(&modern).await {
                        Ok(Probe::Modern(profile)) => {
                            let transport = Transport::StreamableHttp(modern.into());
                            Ok((self.new_connection(profile, transport), None))
                        }
                        _ => Err(refusal),
                    }
                }
                other => other,
            },
        }
    }

    /// Returns `true` if a modern server responds.
    ///
    /// # Errors
    /// [`TransportError`], when no server of any era responded.
    pub(crate) async fn is_modern(&self, http: Http) -> Result<bool, TransportError> {
        match self.send_discover(&StreamableHttp::new(http)).await {
            Ok(response) => Ok(matches!(parse_discover(&response), Ok(Probe::Modern(_)))),
            Err(TransportError::Status { status, .. }) if status.is_client_error() => Ok(false),
            Err(
                TransportError::ContentType(_)
                | TransportError::Malformed(_)
                | TransportError::NoResponse(_),
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends `server/discover`.
    async fn send_discover(&self, modern: &StreamableHttp) -> Result<Message, TransportError> {
        let meta = format!("{{\"_meta\":{{{}}}}}", self.client.meta_members());
        let params: Value = serde_json::from_str(&meta).unwrap_or_default();
        let send = async || {
            let request = Request::from_proxy(next_id(), DISCOVER, &params);
            modern
                .send(&request, &RequestContext::default())
                .await?
                .response()
                .await
        };
        // The retry is part of the same step, so that clients do not wait longer.
        with_step_timeout(async {
            let response = send().await?;
            if !rejects_supported_version(&response) {
                return Ok(response);
            }
            (self.on_response)();
            debug!("server rejected a revision that it supports; retrying");
            send().await
        })
        .await
    }

    /// Detects a modern server.
    async fn probe(&self, modern: &StreamableHttp) -> Result<Probe, TransportError> {
        match self.send_discover(modern).await {
            Ok(response) => {
                (self.on_response)();
                parse_discover(&response)
            }
            Err(
                e @ (TransportError::Connect(_)
                | TransportError::Redirect(_)
                | TransportError::TooManyRedirects(_)),
            ) => Err(e),
            Err(
                e @ (TransportError::Certificate(_)
                | TransportError::CredentialsRequired
                | TransportError::SignIn(_)),
            ) => {
                (self.on_response)();
                Err(e)
            }
            // The server asked to retry later.
            Err(e) if e.retry_after().is_some() => {
                (self.on_response)();
                Err(e)
            }
            Err(error) => {
                if !matches!(error, TransportError::HandshakeTimeout(_)) {
                    (self.on_response)();
                }
                debug!(%error, "no modern response; trying `initialize`");
                Ok(match error.is_transient() {
                    true => Probe::Unclear,
                    false => Probe::Legacy,
                })
            }
        }
    }

    async fn initialize(&self, http: Http) -> Result<Connected, TransportError> {
        let request = self.initialize_request();
        let (mut session, response) =
            with_step_timeout(StreamableHttpLegacy::initialize(http, &request)).await?;
        (self.on_response)();
        let profile = parse_initialize(&response)?;
        session.set_version(profile.version);
        with_step_timeout(session.notify(INITIALIZED.into())).await?;
        let transport = Transport::StreamableHttpLegacy(session.into());
        Ok((self.new_connection(profile, transport), None))
    }

    async fn connect_http_sse(&self, http: &Http) -> Result<Connected, TransportError> {
        let (transport, mut stream) = with_step_timeout(HttpSse::open(http)).await?;
        (self.on_response)();
        let request = self.initialize_request();
        let response = with_step_timeout(async {
            let mut response = std::pin::pin!(async {
                transport
                    .send(&request, &RequestContext::default())
                    .await?
                    .response()
                    .await
            });
            loop {
                // The response arrives on the event stream, so both must be polled.
                tokio::select! {
                    response = &mut response => return response,
                    other = stream.next() => match other? {
                        Some(message) => debug!(method = %message.method(), "ignoring a message during the handshake"),
                        None => return Err(TransportError::StreamEnded),
                    },
                }
            }
        });
        let profile = parse_initialize(&response.await?)?;
        with_step_timeout(transport.notify(INITIALIZED.into())).await?;
        Ok((
            self.new_connection(profile, Transport::HttpSse(transport)),
            Some(stream),
        ))
    }

    fn initialize_request(&self) -> Request {
        let id = next_id();
        // Not as a `Value`: that would reorder and reformat what the client declared.
        let body = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"initialize\",\"params\":{{\
             \"protocolVersion\":\"{}\",\"capabilities\":{},\"clientInfo\":{}}}}}",
            LEGACY[0],
            self.client.capabilities(),
            self.client.client_info(),
        );
        Request {
            body: body.into(),
            ..Request::from_proxy(id, "initialize", &Value::Null)
        }
    }

    fn new_connection(&self, profile: ServerProfile, transport: Transport) -> Connection {
        Connection::new(self.generation, profile, transport, self.client)
    }
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

async fn with_step_timeout<T>(
    future: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    // Boxed: it is large, and would make its caller's future as large.
    ConnectTracker::run_with_timeout(STEP_TIMEOUT, Box::pin(future))
        .await
        .map_err(|_| TransportError::HandshakeTimeout(STEP_TIMEOUT))?
}
