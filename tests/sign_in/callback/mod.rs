//! The browser and the callback listener, over real sockets and processes.

mod bad_clients;
mod browser;
mod redirect_uri;
mod requests;

use std::net::SocketAddr;

use mcp_manifold::config::{Config, Environment, RedirectUri, Secret};
use mcp_manifold::oauth::{
    CallbackListener, CallbackRequest, Members, Page, PendingLogin, RedirectAddress, Timestamp,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use testkit::within;

/// The `state` of the pending login.
const STATE: &str = "the-state";

/// The redirect address of `upstream` with this configured redirect URI.
fn redirect_address(upstream: &str, configured: Option<&str>) -> RedirectAddress {
    let json = serde_json::json!([{"name": upstream, "url": "https://mcp.example.com/mcp"}]);
    let variables = [("PROXY_UPSTREAMS".to_owned(), json.to_string())];
    let config = Config::from_environment(&Environment::from_iter(variables)).unwrap();
    let configured = configured.map(|text| RedirectUri::parse(text).unwrap());
    let upstream = &config.upstreams[0];
    RedirectAddress::new(&upstream.name, &upstream.url, configured.as_ref())
}

async fn listening() -> CallbackListener {
    CallbackListener::bind(&redirect_address("linear", None))
        .await
        .unwrap()
}

fn address(callback: &CallbackListener) -> SocketAddr {
    let url = Url::parse(callback.redirect_uri()).unwrap();
    url.socket_addrs(|| None).unwrap()[0]
}

/// The next callback request, which must belong to the pending login.
async fn next_callback(callback: &mut CallbackListener) -> CallbackRequest {
    let callback_request = within("an answer", callback.next_request()).await;
    assert!(
        is_expected(&callback_request),
        "{:?}",
        callback_request.response()
    );
    callback_request
}

/// Sends a callback request, answers it with `page`, and returns the reply.
async fn reply_to_callback(
    callback: &mut CallbackListener,
    request: impl AsRef<[u8]>,
    page: Page,
) -> String {
    let client = RawClient::sending(address(callback), request).await;
    next_callback(callback).await.respond(page).await;
    client.reply().await
}

fn is_expected(callback_request: &CallbackRequest) -> bool {
    callback_request.response().belongs_to(&login())
}

fn login() -> PendingLogin {
    let secret = |text: &str| Secret::new(text.to_owned());
    PendingLogin {
        state: secret(STATE),
        verifier: secret("v"),
        redirect_uri: String::new(),
        issuer: String::new(),
        resource: None,
        scope: None,
        client_id: String::new(),
        url: secret(""),
        begun_at: Timestamp(0),
        dpop: false,
        opened: false,
        other: Members::default(),
    }
}

/// A valid callback request for the pending login.
fn valid_callback(callback: &CallbackListener) -> String {
    let host = address(callback);
    format!("GET /callback?code=c&state={STATE} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// A TCP client that sends raw bytes.
struct RawClient(TcpStream);

impl RawClient {
    async fn to(address: SocketAddr) -> Self {
        Self(
            within("a connection", TcpStream::connect(address))
                .await
                .unwrap(),
        )
    }

    async fn sending(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Self {
        let mut client = Self::to(address).await;
        client.send(bytes).await;
        client
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let write = self.0.write_all(bytes.as_ref());
        within("the bytes to be sent", write).await.unwrap();
    }

    /// Reads the whole reply, up to an orderly close.
    async fn reply(mut self) -> String {
        let mut reply = String::new();
        let read = self.0.read_to_string(&mut reply);
        within("the reply", read).await.unwrap();
        reply
    }
}

/// Sends `request`, which the listener must reject, and returns the reply.
async fn reply_to_rejected(callback: &mut CallbackListener, request: impl AsRef<[u8]>) -> String {
    let client = RawClient::sending(address(callback), request).await;
    tokio::select! {
        callback_request = callback.next_request() => panic!("{:?} arrived", callback_request.response()),
        reply = client.reply() => reply,
    }
}
