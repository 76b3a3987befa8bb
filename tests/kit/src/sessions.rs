//! A client with several sessions at a legacy server.

use serde_json::json;

use super::proxy::{self, Client};
use super::upstream::{Builder, Upstream, Voice};

/// A server, the proxy's client, and the server's event stream in each session, the main session first.
pub struct Sessions {
    /// The server.
    pub server: Upstream,
    /// The proxy's client.
    pub client: Client,
    voices: Vec<Voice>,
}

impl Sessions {
    /// Opens the main session, for which the client declares `roots` in its handshake. The server gets a
    /// tool `wait`, which responds when the event stream of its session is open.
    pub async fn main(server: Builder) -> Self {
        let server = server.tool("wait").on_call(|call| async move {
            call.aside().await;
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize_with(json!({"roots": {}})).await;
        let main = server.voice().await;
        Self {
            server,
            client,
            voices: vec![main],
        }
    }

    /// Opens an extra session, by a request with capabilities that the main session does not have.
    #[must_use]
    pub async fn and_another(mut self) -> Self {
        self.client.declare(json!({}));
        let call = json!({"name": "wait"});
        self.client.modern("tools/call", call).await;
        self.voices.push(self.server.voice().await);
        self
    }

    /// Logs `message` in each session, and waits until the client has received it.
    pub async fn say(&mut self, message: &str) {
        for voice in &self.voices {
            voice.send(message).await;
            voice.read().await;
        }
        self.client.request("ping", json!({})).await;
    }
}
