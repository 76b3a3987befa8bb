//! What the errors of the HTTP client mean.

use std::io;

use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_request_may_have_run_when_the_system_timed_out() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // As the system reports a connection on which nothing is acknowledged any more.
    let lost = Err::<bytes::Bytes, _>(io::Error::from(io::ErrorKind::TimedOut));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter([lost]));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let error = client.post(url).body(body).send().await.unwrap_err();
    assert!(error.is_timeout() && !error.is_connect(), "{error:?}");
    let sorted = TransportError::from_http(error, Duration::from_secs(1));
    assert_eq!(sorted.outcome(), Outcome::Unknown, "{sorted}");
}
