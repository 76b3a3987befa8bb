//! Reading one connection, with bounds on what it may send and how long it may take.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::head::{self, CallbackVerdict};
use super::page::refusal;
use super::redirect_address::RedirectAddress;
use super::request::{CallbackRequest, WRITE_TIMEOUT};

/// The largest head of a request, in bytes: the cookies of other programs on this machine
/// come along, and must not keep a person from signing in.
const MAX_HEAD: usize = 64 << 10;

/// How long a head may take; browsers open connections to be ready, and say nothing on them.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of what still comes is taken, in bytes, so that a refusal is not lost by a reset.
const MAX_REST: usize = 1 << 20;

/// What a request must be.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    path: String,
    upstream: String,
}

impl Expected {
    pub(super) fn new(address: &RedirectAddress) -> Self {
        Self {
            path: address.path().to_owned(),
            upstream: address.upstream.clone(),
        }
    }
}

/// Reads one request. What is no answer to a sign-in is turned away here.
pub(super) async fn read(mut stream: TcpStream, expected: Expected) -> Option<CallbackRequest> {
    let verdict = match timeout(READ_TIMEOUT, head_of(&mut stream)).await {
        Ok(Ok(Some(head))) => head::judge(&head, &expected.path),
        Ok(Ok(None)) => {
            let text = "This browser sends too much. Delete the cookies of this address.";
            CallbackVerdict::Refused(refusal("431 Request Header Fields Too Large", text))
        }
        Ok(Err(_)) | Err(_) => return None,
    };
    match verdict {
        CallbackVerdict::Answer(response) => Some(CallbackRequest {
            response,
            upstream: expected.upstream,
            browser: stream,
        }),
        CallbackVerdict::Refused(reply) => {
            debug!("turned a request away that is no answer to a sign-in");
            let _ = timeout(WRITE_TIMEOUT, turn_away(stream, &reply)).await;
            None
        }
    }
}

/// The head of a request, or none when it is too large.
async fn head_of(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(2 << 10);
    loop {
        let seen = head.len();
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !head::may_be_http(&head) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some(end) = head::end(&head, seen) {
            head.truncate(end);
            return Ok(Some(head));
        }
        if head.len() > MAX_HEAD {
            return Ok(None);
        }
    }
}

async fn turn_away(mut stream: TcpStream, reply: &[u8]) -> io::Result<()> {
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
