//! An SDK client, the proxy, and an SDK server.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use rmcp::RoleClient;
use rmcp::model::{CallToolRequestParams, ProtocolVersion, ServerNotification, SubscriptionFilter};
use rmcp::service::{
    ClientLifecycleMode, RunningService, Subscription, serve_client_with_lifecycle,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::watch;

use crate::official::everything::{self, Counts, Era};
use crate::official::recording_client::RecordingClient;
use crate::pairing::Pairing;
use testkit::{proxy, within};

/// The client, the counters of the server, and the proxy, which is killed on drop.
pub(crate) struct Session {
    pub(crate) pairing: Pairing,
    pub(crate) client: RunningService<RoleClient, RecordingClient>,
    pub(crate) counts: watch::Sender<Counts>,
    revisions: Arc<Mutex<BTreeSet<String>>>,
    _proxy: Child,
}

impl Pairing {
    fn lifecycle(self) -> ClientLifecycleMode {
        match self.legacy_client() {
            true => ClientLifecycleMode::Initialize,
            false => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        }
    }

    fn era(self) -> Era {
        match self.legacy_upstream() {
            true => Era::Legacy,
            false => Era::Both,
        }
    }

    /// Connects a client that declares all capabilities to the server.
    pub(crate) async fn connect(self) -> Session {
        let counts = watch::Sender::new(Counts::default());
        let (url, revisions) = serve(self.era(), counts.clone()).await;
        let builder = proxy::new().upstream("everything", &url);
        let mut proxy = builder
            .command()
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pipes = (proxy.stdout.take().unwrap(), proxy.stdin.take().unwrap());
        let client =
            serve_client_with_lifecycle(RecordingClient::default(), pipes, self.lifecycle());
        let client = within("the client to be served", client).await.unwrap();
        Session {
            pairing: self,
            client,
            counts,
            revisions,
            _proxy: proxy,
        }
    }
}

/// Starts the server. Returns its URL and the revisions in the headers of its requests.
async fn serve(era: Era, counts: watch::Sender<Counts>) -> (String, Arc<Mutex<BTreeSet<String>>>) {
    let revisions = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = revisions.clone();
    let look = from_fn(move |request: Request, next: Next| {
        if let Some(version) = request.headers().get("mcp-protocol-version") {
            let version = version.to_str().unwrap().to_owned();
            seen.lock().unwrap().insert(version);
        }
        next.run(request)
    });
    let router = everything::router(era, counts).layer(look);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/mcp"), revisions)
}

impl Session {
    /// Calls a tool. Returns its result as JSON.
    pub(crate) async fn call(&self, name: &'static str, arguments: Value) -> Value {
        let params = CallToolRequestParams::new(name);
        self.call_with(params.with_arguments(from_json(arguments)))
            .await
    }

    /// Like [`Session::call`], with all parameters of a call.
    pub(crate) async fn call_with(&self, params: CallToolRequestParams) -> Value {
        let what = format!("{:?}: a result of `{}`", self.pairing, params.name);
        let result = within(&what, self.client.call_tool(params)).await;
        json!(result.unwrap_or_else(|error| panic!("{what}: {error}")))
    }

    /// Opens the subscription of a modern client.
    pub(crate) async fn listen(&self, filter: SubscriptionFilter) -> Subscription {
        let what = format!("{:?}: an acknowledgement", self.pairing);
        let subscription = within(&what, self.client.listen(filter.clone())).await;
        let subscription = subscription.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(*subscription.acknowledged(), filter, "{:?}", self.pairing);
        subscription
    }

    /// The first notification that `is_expected` accepts: of a legacy client, or on the
    /// subscription of a modern one.
    pub(crate) async fn receive(
        &self,
        subscription: Option<&mut Subscription>,
        is_expected: impl Fn(&ServerNotification) -> bool,
    ) -> ServerNotification {
        let what = format!("{:?}: a notification", self.pairing);
        let Some(subscription) = subscription else {
            return within(&what, self.client.service().receive(is_expected)).await;
        };
        within(&what, async {
            loop {
                let received = subscription.next().await.unwrap();
                let received = received.unwrap_or_else(|| panic!("the subscription has ended"));
                if is_expected(&received) {
                    return received;
                }
            }
        })
        .await
    }

    /// Asserts that the proxy and the server used the eras of the pairing.
    pub(crate) fn assert_eras(&self) {
        let revisions = self.revisions.lock().unwrap();
        let modern = revisions.contains("2026-07-28") && revisions.len() == 1;
        let legacy = revisions.contains("2025-11-25");
        let client = self.client.peer_info().unwrap().protocol_version.clone();
        let modern_client = client == ProtocolVersion::V_2026_07_28;
        assert_eq!(
            modern_client,
            !self.pairing.legacy_client(),
            "{:?}",
            self.pairing
        );
        match self.pairing {
            Pairing::LegacyToLegacy | Pairing::ModernToLegacy => {
                assert!(legacy, "{:?}: {revisions:?}", self.pairing);
            }
            Pairing::LegacyToModern | Pairing::ModernToModern => {
                assert!(modern, "{:?}: {revisions:?}", self.pairing);
            }
        }
    }
}

/// Parses one of the SDK's types from its JSON.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}
