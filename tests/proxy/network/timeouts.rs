//! First-byte and connect timeouts, and the errors that name them.

use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};

use crate::network::failure;
use testkit::raw::{Reply, Request};
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    first_byte_timeout_names_its_setting_and_cancels_the_call
}

/// Longer than any of these tests takes.
const LONG: &str = "25s";

async fn first_byte_timeout_names_its_setting_and_cancels_the_call(kind: Kind) {
    let hang = |request: &Request| request.is("tools/call").then(Reply::hang);
    let server = kind.server().tool("pay").intercept(hang).start().await;
    let proxy = proxy::new().upstream("a", &server);
    let times = json!({"timeout": LONG, "first_byte_timeout": "700ms"});
    let mut client = proxy.extra("a", times).start().await;
    client.initialize().await;
    let failed = client.call("pay", json!({})).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31003, "unknown"), "{text}");
    let message = "did not begin to respond within 0.7 s; raise its `first_byte_timeout`";
    assert!(text.contains(message), "{text}");
    server.wait_for_cancelled().await;
}

#[tokio::test]
async fn timeout_variable_applies_to_upstreams_without_their_own() {
    let hang = |request: &Request| request.is("tools/call").then(Reply::hang);
    let server = upstream::modern().tool("pay").intercept(hang).start().await;
    let proxy = proxy::new().upstream("a", &server);
    let proxy = proxy.extra("a", json!({"timeout": LONG}));
    let mut client = proxy.env("PROXY_FIRST_BYTE_TIMEOUT", "700ms").start().await;
    client.initialize().await;
    let failed = client.call("pay", json!({})).await;
    assert!(failure(&failed).2.contains("within 0.7 s"), "{failed}");
}

/// Fills the accept queue of a listener, so that further connection attempts get no response.
#[cfg(target_os = "linux")]
async fn black_hole(address: std::net::SocketAddr) -> (tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut queued = Vec::new();
    let wait = Duration::from_millis(500);
    while let Ok(made) = tokio::time::timeout(wait, TcpStream::connect(address)).await {
        queued.push(made.unwrap());
    }
    (listener, queued)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connect_timeout_names_its_setting_and_runs_nothing() {
    let server = upstream::modern().tool("pay").start().await;
    let proxy = proxy::new().upstream("a", &server);
    // The first-byte timeout begins only with a connection.
    let times = json!({"timeout": LONG, "first_byte_timeout": "200ms"});
    let proxy = proxy.extra("a", times);
    let mut client = proxy.env("PROXY_CONNECT_TIMEOUT", "900ms").start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["pay"]);
    server.raw.stop().await;
    let _hole = black_hole(server.raw.address()).await;
    let failed = client.call("pay", json!({})).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31001, "not run"), "{text}");
    let message = "no connection within 0.9 s, the limit set by PROXY_CONNECT_TIMEOUT";
    assert!(text.contains(message), "{text}");
}
