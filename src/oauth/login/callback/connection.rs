//! Reads one connection, limited in size and time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::head::{self, CallbackVerdict};
use super::page::rejection;
use super::redirect_address::RedirectAddress;
use super::request::{CallbackRequest, WRITE_TIMEOUT};

/// The largest head of a request, in bytes. It includes cookies of other programs on this machine,
/// which must not prevent a sign-in.
const MAX_HEAD: usize = 64 << 10;

/// The deadline for a head. Browsers open spare connections and send nothing on them.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes read after a rejection: a reset could otherwise destroy the response.
const MAX_REST: usize = 1 << 20;

/// The expected redirect URI.
#[derive(Debug, Clone)]
pub(super) struct ExpectedRequest {
    path: String,
    upstream: String,
}

impl ExpectedRequest {
    pub(super) fn new(address: &RedirectAddress) -> Self {
        Self {
            path: address.path().to_owned(),
            upstream: address.upstream.clone(),
        }
    }
}

/// Reads one request. Rejects one without an authorization response.
pub(super) async fn read(
    mut stream: TcpStream,
    expected: ExpectedRequest,
) -> Option<CallbackRequest> {
    let verdict = match timeout(READ_TIMEOUT, read_head(&mut stream)).await {
        Ok(Ok(Some(head))) => head::judge(&head, &expected.path),
        Ok(Ok(None)) => {
            let text = "This browser sends too much. Delete the cookies of this address.";
            CallbackVerdict::Rejected(rejection("431 Request Header Fields Too Large", text))
        }
        Ok(Err(_)) | Err(_) => return None,
    };
    match verdict {
        CallbackVerdict::Accepted(response) => Some(CallbackRequest {
            response,
            upstream: expected.upstream,
            browser: stream,
        }),
        CallbackVerdict::Rejected(reply) => {
            debug!("rejected a callback request without authorization response");
            let _ = timeout(WRITE_TIMEOUT, send_rejection(stream, &reply)).await;
            None
        }
    }
}

/// Reads the head of a request; `None` if the head is too large.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(2 << 10);
    loop {
        let seen = head.len();
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !head::may_be_http(&head) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some(end) = head::find_end(&head, seen) {
            head.truncate(end);
            return Ok(Some(head));
        }
        if head.len() > MAX_HEAD {
            return Ok(None);
        }
    }
}

async fn send_rejection(mut stream: TcpStream, reply: &[u8]) -> io::Result<()> {
    stream.write_all(reply).await?;
    stream.shutdown().await?;
    let (mut rest, mut taken) = ([0; 4096], 0);
    while taken < MAX_REST {
        match stream.read(&mut rest).await? {
            0 => break,
            some => taken += some,
        }
    }
    Ok(())
}
