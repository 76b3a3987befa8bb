//! A stream on which a server sends messages and requests to its client.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::state::{State, Stream};
use crate::raw::{Request, event};
use crate::within;

/// The stream of a call, or an event stream. A handle does not keep the stream open.
#[derive(Clone)]
pub struct ServerStream {
    pub(super) state: Arc<State>,
    pub(super) stream: mpsc::WeakSender<Bytes>,
}

impl ServerStream {
    /// Waits for an event stream, of `session` if set, and returns the last one.
    pub(super) async fn last_event_stream(state: &Arc<State>, session: Option<&str>) -> Self {
        let fits = |stream: &Stream| {
            let of_session = session.is_none_or(|session| stream.session == session);
            of_session && stream.subscription.is_none() && !stream.sender.is_closed()
        };
        let streams = &mut state.streams.subscribe();
        let open = streams.wait_for(|streams| streams.iter().any(fits));
        let open = within("a client to open the server's stream", open).await;
        let open = open.unwrap();
        let stream = open.iter().rev().find(|&stream| fits(stream)).unwrap();
        let stream = stream.sender.downgrade();
        let state = state.clone();
        Self { state, stream }
    }

    /// Sends a message.
    pub async fn send(&self, message: impl AsRef<[u8]>) {
        if let Some(stream) = self.stream.upgrade() {
            stream.send(event(message).into()).await.ok();
        }
    }

    /// Sends a server request, and returns the body of the response. `id` is JSON.
    pub async fn request(&self, id: &str, method: &str, params: &str) -> Vec<u8> {
        let request =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        self.request_in_bytes(id, &request).await
    }

    /// Sends a server request in these bytes, and returns the body of the response to `id`.
    pub async fn request_in_bytes(&self, id: &str, request: &str) -> Vec<u8> {
        self.send(request).await;
        let answers = |message: &Request| {
            message.rpc_method().is_empty() && message.id_bytes() == Some(id.into())
        };
        self.state
            .wait_for_message(&format!("the answer to {request}"), answers)
            .await
    }

    /// Waits until the client has read all earlier messages, by a `ping`.
    pub async fn read(&self) {
        let id = format!("\"read-{}\"", self.state.number());
        let ping = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        self.request_in_bytes(&id, &ping).await;
    }

    /// Returns `true` if the client or the server has closed the stream.
    pub fn is_closed(&self) -> bool {
        let stream = self.stream.upgrade();
        stream.is_none_or(|stream| stream.is_closed())
    }
}
