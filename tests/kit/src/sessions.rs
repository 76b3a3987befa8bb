//! A client that has more than one session with a legacy server.

use serde_json::json;

use super::proxy::{self, Client};
use super::upstream::{Builder, Upstream, Voice};

/// A server, the proxy's client, and the streams on which the server speaks in each session, the main
/// one first.
pub struct Sessions {
    /// The server.
    pub server: Upstream,
    /// The proxy's client.
    pub client: Client,
    voices: Vec<Voice>,
}

impl Sessions {
    /// The main session alone, for which the client has declared `roots` in its handshake. The server
    /// gets a tool `wait`, which answers when the server can speak in the session of the call.
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

    /// Opens another beside it: with a request the client declares what the main session does not have.
    #[must_use]
    pub async fn and_another(mut self) -> Self {
        self.client.declare(json!({}));
        let call = json!({"name": "wait"});
        self.client.modern("tools/call", call).await;
        self.voices.push(self.server.voice().await);
        self
    }

    /// Says something in each session, and waits until the client has all that was told of it.
    pub async fn say(&mut self, message: &str) {
        for voice in &self.voices {
            voice.send(message).await;
            voice.read().await;
        }
        self.client.request("ping", json!({})).await;
    }
}
