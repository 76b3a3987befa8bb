//! The redirect URI: address, port and path of the callback listener.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr};

use mcp_manifold::oauth::{CallbackListener, Page, RedirectAddress};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{
    RawClient, address, next_callback, redirect_address, reply_to_callback, valid_callback,
};
use testkit::within;

fn port(callback: &CallbackListener) -> u16 {
    let url = Url::parse(callback.redirect_uri()).unwrap();
    url.port().unwrap()
}

/// Listens on a port that was just closed. A process that another test starts may hold the old
/// socket for a moment.
async fn bind_again(redirect_address: &RedirectAddress) -> CallbackListener {
    let bind = async {
        loop {
            match CallbackListener::bind(redirect_address).await {
                Ok(callback) => break callback,
                Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
            }
            tokio::task::yield_now().await;
        }
    };
    within("the port to be free", bind).await
}

/// Whether this machine has an IPv6 loopback address.
async fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok()
}

#[tokio::test]
async fn default_redirect_uri_is_127_0_0_1_and_callback() {
    let callback = CallbackListener::bind(&redirect_address("plain", None))
        .await
        .unwrap();
    let uri = format!("http://127.0.0.1:{}/callback", port(&callback));
    assert_eq!(callback.redirect_uri(), uri);
    assert!(port(&callback) > 0);
}

#[tokio::test]
async fn occupied_candidate_ports_are_skipped() {
    let redirect_address = redirect_address("taken", None);
    let mut callbacks = Vec::new();
    // More than the number of candidate ports.
    for _ in 0..8 {
        callbacks.push(CallbackListener::bind(&redirect_address).await.unwrap());
    }
    for callback in &mut callbacks {
        let client = RawClient::sending(address(callback), valid_callback(callback)).await;
        next_callback(callback).await.respond(Page::SignedIn).await;
        assert!(client.reply().await.contains("signed in to taken"));
    }
    let mut ports: Vec<_> = callbacks.iter().map(port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 8);
}

#[tokio::test]
async fn occupied_fixed_port_is_an_error_with_a_remedy() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    for uri in [
        format!("http://127.0.0.1:{port}/a"),
        format!("http://localhost:{port}/a"),
    ] {
        let error = CallbackListener::bind(&redirect_address("fixed", Some(&uri)))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let text = format!(
            "another program listens at the redirect URI `{uri}`; \
             end it, or change `oauth.redirect_uri`"
        );
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn fixed_redirect_uri_is_used_as_written() {
    // This port stays reserved until the test needs it.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    let uri = format!("http://127.0.0.1:{port}/oauth/back");
    let redirect_address = redirect_address("fixed", Some(&uri));
    drop(free);
    let mut callback = bind_again(&redirect_address).await;
    assert_eq!(callback.redirect_uri(), uri);
    let request = valid_callback(&callback).replace("/callback", "/oauth/back");
    let reply = reply_to_callback(&mut callback, request, Page::SignedIn).await;
    assert!(reply.contains("signed in"));
    // The port is free as soon as the listener is dropped.
    drop(callback);
    bind_again(&redirect_address).await;
}

#[tokio::test]
async fn localhost_callback_answers_on_ipv4_and_ipv6() {
    let configured = Some("http://localhost/callback");
    let mut callback = CallbackListener::bind(&redirect_address("both", configured))
        .await
        .unwrap();
    let port = port(&callback);
    assert_eq!(
        callback.redirect_uri(),
        format!("http://localhost:{port}/callback")
    );
    let mut addresses = vec![SocketAddr::from(([127, 0, 0, 1], port))];
    if has_ipv6().await {
        addresses.push((Ipv6Addr::LOCALHOST, port).into());
    }
    for redirect_address in addresses {
        let client = RawClient::sending(redirect_address, valid_callback(&callback)).await;
        next_callback(&mut callback)
            .await
            .respond(Page::SignedIn)
            .await;
        assert!(client.reply().await.contains("signed in"));
    }
}

#[tokio::test]
async fn localhost_with_one_address_occupied_is_an_error() {
    if !has_ipv6().await {
        return;
    }
    let other = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
    let port = other.local_addr().unwrap().port();
    let uri = format!("http://localhost:{port}/callback");
    let error = CallbackListener::bind(&redirect_address("half", Some(&uri)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[tokio::test]
async fn callback_works_on_ipv6_alone() {
    if !has_ipv6().await {
        return;
    }
    let configured = Some("http://[::1]/callback");
    let mut callback = CallbackListener::bind(&redirect_address("six", configured))
        .await
        .unwrap();
    let there = address(&callback);
    assert_eq!(callback.redirect_uri(), format!("http://{there}/callback"));
    let request = valid_callback(&callback);
    let reply = reply_to_callback(&mut callback, request, Page::SignedIn).await;
    assert!(reply.contains("signed in"));
}

#[tokio::test]
async fn callback_listens_on_its_own_address_only() {
    // A listener on all interfaces would answer at this other address of the machine.
    let callback = CallbackListener::bind(&redirect_address("inside", None))
        .await
        .unwrap();
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], port(&callback)));
    assert!(TcpStream::connect(elsewhere).await.is_err());
}
