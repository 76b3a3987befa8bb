//! Classifies the errors of the HTTP client.

use std::time::Duration;

use super::TransportError;
use crate::net::error_chain;

/// Classifies an error of the HTTP client. `connect_timeout` is the client's limit; the operating system may
/// time out earlier.
pub(crate) fn classify(error: reqwest::Error, connect_timeout: Duration) -> TransportError {
    let (connect, timeout) = (error.is_connect(), error.is_timeout());
    let text = error_chain(&error.without_url());
    match () {
        () if connect && text.contains("certificate") => TransportError::Certificate(text),
        () if connect && timeout && !text.contains("os error") => TransportError::Connect(format!(
            "no connection within {} s, the limit set by PROXY_CONNECT_TIMEOUT",
            connect_timeout.as_secs_f64()
        )),
        () if connect => TransportError::Connect(text),
        // Includes a timeout of the operating system after the request was sent.
        () => TransportError::Interrupted(text),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::net::TcpListener;

    use super::*;
    use crate::upstream::error::Outcome;

    #[tokio::test]
    async fn a_request_may_have_run_when_the_system_timed_out() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        // The error of the operating system when the peer acknowledges nothing any more.
        let lost = Err::<bytes::Bytes, _>(io::Error::from(io::ErrorKind::TimedOut));
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter([lost]));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = client.post(url).body(body).send().await.unwrap_err();
        assert!(error.is_timeout() && !error.is_connect(), "{error:?}");
        let error = classify(error, Duration::from_secs(1));
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    }
}
