//! A client with several sessions at a legacy server.

use serde_json::json;

use super::proxy::{self, Client};
use super::upstream::{Builder, ServerStream, Upstream};

/// A server, the proxy's client, and the server's event stream in each session, the main session first.
pub struct Sessions {
    /// The server.
    pub server: Upstream,
    /// The proxy's client.
    pub client: Client,
    streams: Vec<ServerStream>,
}

impl Sessions {
    /// Opens the main session, for which the client declares `roots` in its handshake. The server gets a
    /// tool `wait`, which responds when the event stream of its session is open.
    pub async fn main(server: Builder) -> Self {
        let server = server.tool("wait").on_call(|call| async move {
            call.event_stream().await;
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize_with(json!({"roots": {}})).await;
        let main = server.event_stream().await;
        Self {
            server,
            client,
            streams: vec![main],
        }
    }

    /// Opens an extra session, by a request with capabilities that the main session does not have.
    #[must_use]
    pub async fn and_another(mut self) -> Self {
        self.client.declare(json!({}));
        let call = json!({"name": "wait"});
        self.client.modern("tools/call", call).await;
        self.streams.push(self.server.event_stream().await);
        self
    }

    /// Logs `message` in each session, and waits until the client has received it.
    pub async fn say(&mut self, message: &str) {
        for stream in &self.streams {
            stream.send(message).await;
            stream.read().await;
        }
        self.client.request("ping", json!({})).await;
    }
}
