//! Replacing pooled connections, as after a suspend.

use bytes::Bytes;
use mcp_manifold::net::Clients;
use tokio::sync::mpsc;
use url::Url;

use testkit::raw::{self, Reply, Request};
use testkit::{Endpoint, within};

#[tokio::test]
async fn renewal_opens_new_connections_and_lets_requests_finish() {
    let (sender, chunks) = mpsc::channel(4);
    let chunks = std::sync::Mutex::new(Some(chunks));
    let server = raw::server(move |request: Request| {
        let stream = (request.method == "GET").then(|| chunks.lock().unwrap().take().unwrap());
        async { stream.map_or_else(|| Reply::json("{}"), Reply::stream) }
    });
    let url: Url = server.url().parse().unwrap();
    let clients = Clients::default();
    let current = clients.current(&url);
    let post = async || {
        let client = current.get().await.unwrap();
        let sent = within("an answer", client.post(url.clone()).body("x").send()).await;
        sent.unwrap().bytes().await.unwrap()
    };
    post().await;
    post().await;
    assert_eq!(server.connections(), 1);
    let client = current.get().await.unwrap();
    let get = client.get(url.clone()).send();
    let mut stream = within("a stream", get).await.unwrap();
    drop(client);
    let before = server.connections();

    clients.discard_connections();
    post().await;
    assert_eq!(server.connections(), before + 1);
    post().await;
    assert_eq!(server.connections(), before + 1);
    for part in ["one", "two"] {
        sender
            .send(Bytes::from_static(part.as_bytes()))
            .await
            .unwrap();
        let chunk = within("the old stream", stream.chunk()).await.unwrap();
        assert_eq!(chunk.as_deref(), Some(part.as_bytes()));
    }
    drop(sender);
    assert_eq!(stream.chunk().await.unwrap(), None);
}
