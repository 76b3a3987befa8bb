//! The state of a running server: its tools, sessions and event streams.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::{Builder, ServerStream};
use crate::raw::{Reply, Request, event};
use crate::within;

/// How many messages a stream buffers before the server waits for its client.
const STREAM_BUFFER: usize = 1024;

pub(super) struct State {
    pub(super) script: Builder,
    pub(super) tools: Mutex<Vec<String>>,
    pub(super) offers: Mutex<HashMap<String, Vec<String>>>,
    /// The negotiated revision of each session.
    pub(super) sessions: Mutex<HashMap<String, String>>,
    pub(super) streams: watch::Sender<Vec<Stream>>,
    pub(super) calls: watch::Sender<Vec<Vec<u8>>>,
    /// The notifications and responses of clients.
    messages: watch::Sender<Vec<Request>>,
    next_session: AtomicUsize,
}

/// An event stream of the server.
pub(super) struct Stream {
    pub(super) session: String,
    /// The id (JSON) and the filter of the `subscriptions/listen` that opened it.
    pub(super) subscription: Option<(String, Value)>,
    pub(super) sender: mpsc::Sender<Bytes>,
}

impl State {
    pub(super) fn new(script: Builder) -> Self {
        Self {
            tools: Mutex::new(script.tools.clone()),
            offers: Mutex::new(script.offers.clone()),
            script,
            sessions: Mutex::default(),
            streams: watch::Sender::default(),
            calls: watch::Sender::default(),
            messages: watch::Sender::default(),
            next_session: AtomicUsize::new(1),
        }
    }

    /// Returns a new session id.
    pub(super) fn new_session(&self) -> String {
        format!("session-{}", self.number())
    }

    /// Returns a new number.
    pub(super) fn number(&self) -> usize {
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    /// Opens an event stream and sends `first` on it. An older stream of the session ends.
    pub(super) fn open_stream(
        &self,
        session: &str,
        subscription: Option<(String, Value)>,
        first: Option<Vec<u8>>,
    ) -> Reply {
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        if let Some(first) = first {
            sender.try_send(first.into()).unwrap();
        }
        self.streams.send_modify(|streams| {
            let replaces = |old: &Stream| subscription.is_none() && old.session == session;
            streams.retain(|stream| !stream.sender.is_closed() && !replaces(stream));
            streams.push(Stream {
                session: session.to_owned(),
                subscription,
                sender,
            });
        });
        Reply::stream(receiver)
    }

    /// Returns the stream of a session, for responses.
    pub(super) fn stream_of(&self, session: &str) -> Option<mpsc::Sender<Bytes>> {
        let streams = self.streams.borrow();
        let stream = streams.iter().find(|stream| stream.session == session);
        stream.map(|stream| stream.sender.clone())
    }

    pub(super) async fn notify(&self, method: &str, params: &str) {
        self.notify_who(method, params, Stream::listens_for).await;
    }

    /// Notifies the subscribers of any resource.
    pub(super) async fn notify_unfiltered(&self, method: &str, params: &str) {
        self.notify_who(method, params, |stream, _, _| stream.listens_for_some())
            .await;
    }

    /// Waits until each stream that was opened for this resource is closed.
    pub(super) async fn closed_for(&self, uri: &str) {
        let params = json!({"uri": uri});
        let open: Vec<_> = self
            .streams
            .borrow()
            .iter()
            .filter(|stream| stream.listens_for("notifications/resources/updated", &params))
            .map(|stream| stream.sender.clone())
            .collect();
        for stream in open {
            within("a stream to be closed", stream.closed()).await;
        }
    }

    async fn notify_who(
        &self,
        method: &str,
        params: &str,
        receives: impl Fn(&Stream, &str, &Value) -> bool,
    ) {
        let params: Value = serde_json::from_str(params).unwrap();
        let streams = &mut self.streams.subscribe();
        let listens =
            |stream: &Stream| !stream.sender.is_closed() && receives(stream, method, &params);
        let ready = streams.wait_for(|streams| streams.iter().any(listens));
        let sends: Vec<_> = within(&format!("a client to listen for {method}"), ready)
            .await
            .unwrap()
            .iter()
            .filter(|stream| listens(stream))
            .map(|stream| (stream.sender.clone(), stream.notification(method, &params)))
            .collect();
        for (sender, message) in sends {
            // Fails only if the client has just disconnected.
            sender.send(event(message).into()).await.ok();
        }
    }

    pub(super) async fn cancel_subscriptions(&self) {
        let streams = self.streams.borrow();
        let subscriptions = streams.iter().filter_map(|stream| {
            let (id, _) = stream.subscription.as_ref()?;
            let params = format!(r#"{{"requestId":{id}}}"#);
            let method = "notifications/cancelled";
            let message = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
            Some((stream.sender.clone(), message))
        });
        let subscriptions: Vec<_> = subscriptions.collect();
        drop(streams);
        for (sender, message) in subscriptions {
            sender.send(event(message).into()).await.ok();
        }
    }

    /// Stores a notification or a response of a client.
    pub(super) fn keep(&self, message: Request) {
        self.messages.send_modify(|messages| messages.push(message));
    }

    /// Waits for the first notification or response that `is_expected` accepts, including past ones.
    pub(super) async fn wait_for_message(
        &self,
        what: &str,
        is_expected: impl Fn(&Request) -> bool,
    ) -> Vec<u8> {
        let messages = &mut self.messages.subscribe();
        let found = messages.wait_for(|messages| messages.iter().any(&is_expected));
        let messages = within(what, found).await.unwrap();
        messages
            .iter()
            .find(|&m| is_expected(m))
            .unwrap()
            .body
            .clone()
    }
}

impl Stream {
    fn listens_for_some(&self) -> bool {
        let filter = self.subscription.as_ref().map(|(_, filter)| filter);
        filter.is_none_or(|filter| filter["resourceSubscriptions"].is_array())
    }

    fn listens_for(&self, method: &str, params: &Value) -> bool {
        let Some((_, filter)) = &self.subscription else {
            return true;
        };
        if method == "notifications/resources/updated" {
            let uris = filter["resourceSubscriptions"].as_array();
            return uris.is_some_and(|uris| uris.contains(&params["uri"]));
        }
        let is_expected = match method {
            "notifications/tools/list_changed" => &filter["toolsListChanged"],
            "notifications/prompts/list_changed" => &filter["promptsListChanged"],
            "notifications/resources/list_changed" => &filter["resourcesListChanged"],
            _ => &Value::Null,
        };
        !matches!(is_expected, Value::Null | Value::Bool(false))
    }

    fn notification(&self, method: &str, params: &Value) -> String {
        let mut params = params.clone();
        if let Some((id, _)) = &self.subscription {
            let id: Value = serde_json::from_str(id).unwrap();
            params["_meta"]["io.modelcontextprotocol/subscriptionId"] = id;
        }
        json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
    }
}

/// A call that is answered in steps.
pub struct Call {
    /// The call as received.
    pub request: Request,
    pub(super) state: Arc<State>,
    pub(super) stream: Option<mpsc::WeakSender<Bytes>>,
}

impl Call {
    /// Sends a message before the response, on the same stream.
    pub async fn send(&self, message: impl AsRef<[u8]>) {
        self.stream().send(message).await;
    }

    /// Sends a progress notification, if the call has a progress token.
    pub async fn progress(&self, progress: u64) {
        let call = self.request.json();
        let token = &call["params"]["_meta"]["progressToken"];
        if !token.is_null() {
            let params = json!({"progressToken": token, "progress": progress});
            let method = "notifications/progress";
            let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
            self.send(message.to_string()).await;
        }
    }

    /// Sends a server request, and returns the body of the response. `id` is JSON.
    pub async fn request(&self, id: &str, method: &str, params: &str) -> Vec<u8> {
        self.stream().request(id, method, params).await
    }

    /// Returns the stream of this call, for messages and server requests.
    pub fn stream(&self) -> ServerStream {
        let stream = self.stream.as_ref().expect("answered without a stream");
        ServerStream {
            state: self.state.clone(),
            stream: stream.clone(),
        }
    }

    /// Waits for the event stream in the session of this call, and returns it.
    pub async fn event_stream(&self) -> ServerStream {
        ServerStream::last_event_stream(&self.state, self.request.header("mcp-session-id")).await
    }

    /// Waits for the first notification or response of a client that `is_expected` accepts, including past
    /// ones. Returns its body.
    pub async fn wait_for_message(
        &self,
        what: &str,
        is_expected: impl Fn(&Request) -> bool,
    ) -> Vec<u8> {
        self.state.wait_for_message(what, is_expected).await
    }

    /// Waits for the `notifications/cancelled` of this call. The modern era has no such notification: the
    /// answer is dropped when the client closes the stream.
    pub async fn cancelled(&self) {
        let id = self.request.json()["id"].take();
        let names_it = |message: &Request| {
            message.is("notifications/cancelled") && message.json()["params"]["requestId"] == id
        };
        self.state
            .wait_for_message("a cancellation", names_it)
            .await;
    }
}

/// Answers a POST with an event stream of the messages that `answer` sends, and its result at the end.
///
/// When the client closes the stream, `answer` is dropped.
pub(super) fn stream_reply<F, R>(answer: F) -> Reply
where
    F: FnOnce(mpsc::Sender<Bytes>) -> R,
    R: Future<Output = Vec<u8>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
    let answer = answer(sender.clone());
    tokio::spawn(async move {
        tokio::select! {
            message = answer => {
                sender.send(event(message).into()).await.ok();
            }
            () = sender.closed() => {}
        }
    });
    Reply::stream(receiver)
}
