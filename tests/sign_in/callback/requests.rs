//! Which requests count as a callback, and which are rejected.

use mcp_manifold::oauth::Page;

use super::{
    RawClient, address, is_expected, listening, next_callback, reply_to_callback,
    reply_to_rejected, valid_callback,
};
use testkit::within;

#[tokio::test]
async fn callback_request_arrives_and_gets_its_page() {
    let mut callback = listening().await;
    let request = valid_callback(&callback);
    let reply = reply_to_callback(&mut callback, request, Page::SignedIn).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.contains("You are signed in to linear"), "{reply}");
    assert!(reply.ends_with("</html>\n"), "{reply}");
}

#[tokio::test]
async fn callback_with_an_error_arrives_too() {
    let mut callback = listening().await;
    let request = valid_callback(&callback).replace("code=c", "error=access_denied");
    let reply = reply_to_callback(&mut callback, request, Page::Denied).await;
    assert!(reply.contains("did not allow"));
}

#[tokio::test]
async fn other_requests_are_rejected_and_the_wait_goes_on() {
    let mut callback = listening().await;
    let host = address(&callback).to_string();
    // A valid query, sent to a wrong path, with a wrong method or with a wrong host.
    let answer = "/callback?code=c&state=4711";
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let by = |method: &str| get(answer).replacen("GET", method, 1);
    let from = |host: &str| format!("GET {answer} HTTP/1.1\r\n{host}\r\n");
    let cases = [
        (get("/"), "404"),
        (get("/favicon.ico"), "404"),
        (get("/callback/"), "404"),
        (get("/callback2?code=c&state=4711"), "404"),
        (get("//callback?code=c&state=4711"), "404"),
        (get("/Callback?code=c&state=4711"), "404"),
        (get("/x/../callback?code=c&state=4711"), "404"),
        (get("http://127.0.0.1/callback?code=c&state=4711"), "404"),
        (get("*"), "404"),
        (get("/callback"), "400"),
        (get("/callback?"), "400"),
        (get("/callback?state=4711"), "400"),
        (get("/callback?code=c&code=d&state=4711"), "400"),
        (get("/callback?response_type=code&state=4711"), "400"),
        (by("POST"), "405"),
        (by("PUT"), "405"),
        (by("DELETE"), "405"),
        (by("OPTIONS"), "405"),
        (by("TRACE"), "405"),
        (by("GETT"), "405"),
        (from(""), "421"),
        (from("Host: mcp.example.com\r\n"), "421"),
        (from("Host: localhost.example.com\r\n"), "421"),
        (from("Host: 127.0.0.1.example.com:80\r\n"), "421"),
        (from("Host: evil.localhost\r\n"), "421"),
        (from("Host: 10.0.0.1\r\n"), "421"),
        (from("Host: 0.0.0.0\r\n"), "421"),
        (from("Host: [::2]:1\r\n"), "421"),
        (from("Host: localhost@example.com\r\n"), "421"),
        (from("Host: \r\n"), "421"),
        (from("Host: localhost\r\nHost: mcp.example.com\r\n"), "421"),
        (from("Host: \u{fffd}\r\n"), "421"),
        ("GET\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/9\r\n\r\n".to_owned(), "400"),
        (
            format!("GET {answer} HTTP/1.1\r\nHost localhost\r\n\r\n"),
            "400",
        ),
        (
            format!("GET {answer} HTTP/1.1\r\n Host: localhost\r\n\r\n"),
            "400",
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "400"),
    ];
    for (request, status) in cases {
        let reply = reply_to_rejected(&mut callback, &request).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(reply.starts_with(&expected), "{request:?} got {reply}");
        assert!(
            !reply.contains("4711"),
            "{request:?} is repeated in {reply}"
        );
    }
    let request = valid_callback(&callback);
    let reply = reply_to_callback(&mut callback, request, Page::SignedIn).await;
    assert!(reply.contains("signed in"));
}

#[tokio::test]
async fn head_request_does_not_consume_the_code() {
    let mut callback = listening().await;
    let request = valid_callback(&callback).replacen("GET", "HEAD", 1);
    let reply = reply_to_rejected(&mut callback, request).await;
    assert!(reply.starts_with("HTTP/1.1 405 "), "{reply}");
    assert!(reply.ends_with("\r\n\r\n"), "a HEAD got a body: {reply}");
    let request = valid_callback(&callback);
    reply_to_callback(&mut callback, request, Page::SignedIn).await;
}

#[tokio::test]
async fn host_header_may_be_any_loopback_name() {
    let mut callback = listening().await;
    let there = address(&callback);
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.0.0.2:9999",
        "[::1]",
        "[::1]:8080",
    ] {
        let request = valid_callback(&callback).replace(&there.to_string(), host);
        let reply = reply_to_callback(&mut callback, request, Page::Stale).await;
        assert!(reply.starts_with("HTTP/1.1 410 "), "{host}");
    }
}

#[tokio::test]
async fn garbage_closes_the_connection_at_once() {
    let mut callback = listening().await;
    let cases: [&[u8]; 5] = [
        // The start of a TLS handshake: a browser that tries https first.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0",
        b"\xff\xfe\r\n\r\n",
        b"\r\n\r\n",
        b"{\"jsonrpc\":\"2.0\"}\r\n\r\n",
    ];
    for bytes in cases {
        // The listener closes first, long before the guard of the test.
        assert_eq!(
            reply_to_rejected(&mut callback, bytes).await,
            "",
            "{bytes:?}"
        );
    }
    let request = valid_callback(&callback);
    reply_to_callback(&mut callback, request, Page::SignedIn).await;
}

#[tokio::test]
async fn request_may_arrive_byte_by_byte_with_bare_line_feeds() {
    let mut callback = listening().await;
    for request in [
        valid_callback(&callback),
        valid_callback(&callback).replace("\r\n", "\n"),
    ] {
        let mut client = RawClient::to(address(&callback)).await;
        client.0.set_nodelay(true).unwrap();
        let sending = async {
            for byte in request.as_bytes() {
                client.send([*byte]).await;
                tokio::task::yield_now().await;
            }
        };
        let (callback_request, ()) = tokio::join!(next_callback(&mut callback), sending);
        callback_request.respond(Page::SignedIn).await;
        assert!(client.reply().await.contains("signed in"));
    }
}

#[tokio::test]
async fn two_callbacks_at_once_get_their_own_pages() {
    let mut callback = listening().await;
    let there = address(&callback);
    let forged = valid_callback(&callback).replace("the-state", "forged");
    let forger = RawClient::sending(there, forged).await;
    let browser = RawClient::sending(there, valid_callback(&callback)).await;
    let first = within("an answer", callback.next_request()).await;
    let second = within("another", callback.next_request()).await;
    assert_ne!(is_expected(&first), is_expected(&second));
    // Respond in the reverse order.
    for callback_request in [second, first] {
        let page = match is_expected(&callback_request) {
            true => Page::SignedIn,
            false => Page::Stale,
        };
        callback_request.respond(page).await;
    }
    assert!(browser.reply().await.contains("signed in to"));
    assert!(forger.reply().await.contains("This sign-in has ended"));
}
