//! Callback clients that are slow, numerous, disconnected, or send too much.

use mcp_manifold::oauth::Page;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::{
    RawClient, address, listening, next_callback, reply_to_callback, reply_to_rejected,
    valid_callback,
};
use testkit::within;

#[tokio::test]
async fn slow_clients_do_not_block_the_browser() {
    let mut callback = listening().await;
    let there = address(&callback);
    let mut slow = Vec::new();
    for number in 0..200 {
        // Each is accepted before the next connects, so all of them are ahead of the browser.
        let bytes: &[u8] = [b"".as_slice(), b"G", b"GET /callback?code=c"][number % 3];
        slow.push(RawClient::sending(there, bytes).await);
        let first = tokio::time::timeout(std::time::Duration::ZERO, callback.next_request()).await;
        assert!(first.is_err());
    }
    let request = valid_callback(&callback);
    let reply = reply_to_callback(&mut callback, request, Page::SignedIn).await;
    assert!(reply.contains("signed in"));
    drop(slow);
}

#[tokio::test(start_paused = true)]
async fn slow_client_is_disconnected() {
    // The paused clock advances to the request timeout as soon as all tasks are idle.
    let mut callback = listening().await;
    let mut client = RawClient::sending(address(&callback), "GET /callback?co").await;
    let mut reply = Vec::new();
    tokio::select! {
        _ = callback.next_request() => panic!("half a request arrived"),
        end = within("the end", client.0.read_to_end(&mut reply)) => assert_eq!(end.unwrap(), 0),
    }
}

#[tokio::test]
async fn oversized_request_head_is_rejected_with_a_reason() {
    let mut callback = listening().await;
    let there = address(&callback);
    let head = |bytes: usize| {
        let cookie = format!("\r\nCookie: a={}\r\n\r\n", "x".repeat(bytes));
        valid_callback(&callback).replace("\r\n\r\n", &cookie)
    };
    let (large, huge) = (head(50_000), head(300_000));
    let mut client = RawClient::sending(there, &huge).await;
    let reading = async {
        let start = client.0.read_u8().await.unwrap();
        // A browser may keep sending; it still receives the rest of the reply.
        client.send(&huge).await;
        char::from(start).to_string() + &client.reply().await
    };
    let reply = tokio::select! {
        _ = callback.next_request() => panic!("an oversized request arrived"),
        reply = within("a reply", reading) => reply,
    };
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
    assert!(reply.contains("Delete the cookies"), "{reply}");
    // Cookies of other programs on localhost must not prevent the sign-in.
    let reply = reply_to_callback(&mut callback, large, Page::SignedIn).await;
    assert!(reply.contains("signed in"));
}

#[tokio::test]
async fn too_many_headers_are_rejected() {
    let mut callback = listening().await;
    let many: String = (0..500)
        .map(|number| format!("\r\nX-{number}: a"))
        .collect();
    let request = valid_callback(&callback).replace("\r\n\r\n", &format!("{many}\r\n\r\n"));
    let reply = reply_to_rejected(&mut callback, request).await;
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
}

#[tokio::test]
async fn client_that_disconnects_early_is_dropped() {
    let mut callback = listening().await;
    for bytes in [
        "",
        "GET",
        "GET /callback?code=c&state=the-state HTTP/1.1\r\n",
    ] {
        drop(RawClient::sending(address(&callback), bytes).await);
    }
    let request = valid_callback(&callback);
    reply_to_callback(&mut callback, request, Page::SignedIn).await;
}

#[tokio::test]
async fn callback_counts_though_the_browser_disconnected() {
    let mut callback = listening().await;
    drop(RawClient::sending(address(&callback), valid_callback(&callback)).await);
    next_callback(&mut callback)
        .await
        .respond(Page::SignedIn)
        .await;
}

#[tokio::test]
async fn callback_gets_its_page_after_the_listener_closed() {
    let mut callback = listening().await;
    let there = address(&callback);
    let client = RawClient::sending(there, valid_callback(&callback)).await;
    let callback_request = next_callback(&mut callback).await;
    drop(callback);
    // A process that another test starts may inherit the socket for a moment.
    let refusal = async { while TcpStream::connect(there).await.is_ok() {} };
    within("the port to be closed", refusal).await;
    callback_request.respond(Page::SignedIn).await;
    assert!(client.reply().await.contains("signed in"));
}

#[tokio::test]
async fn interrupted_wait_loses_no_callback() {
    let mut callback = listening().await;
    let client = RawClient::sending(address(&callback), valid_callback(&callback)).await;
    let waiting = async {
        loop {
            tokio::select! {
                biased;
                () = tokio::task::yield_now() => {}
                callback_request = callback.next_request() => break callback_request,
            }
        }
    };
    within("an answer", waiting)
        .await
        .respond(Page::SignedIn)
        .await;
    assert!(client.reply().await.contains("signed in"));
}
