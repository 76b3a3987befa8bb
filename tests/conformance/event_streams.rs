//! Differences between our event-stream parser and `sse-stream`; see
//! `docs/decisions/sse-parser.md`.
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use mcp_manifold::wire::sse::{Parser, SseError};
use sse_stream::{Sse, SseStream};

/// Valid by WHATWG HTML § 9.2.6; each contains the data `x`.
const UNUSUAL: [(&str, &str); 5] = [
    ("a field that is not known", "x-new: 1\ndata: x\n\n"),
    ("a line without a colon", "retry\ndata: x\n\n"),
    ("a retry time that is no number", "retry: soon\ndata: x\n\n"),
    (
        "an event type twice",
        "event: a\nevent: message\ndata: x\n\n",
    ),
    ("an id twice", "id: 1\nid: 2\ndata: x\n\n"),
];

fn ours(text: &str) -> Vec<Bytes> {
    let mut parser = Parser::new(1000);
    parser.push(text.as_bytes());
    let events = std::iter::from_fn(|| parser.next_event().unwrap());
    events.filter_map(|event| event.data).collect()
}

fn sse_stream(text: &str) -> Vec<Result<Sse, sse_stream::Error>> {
    let chunks = stream::iter([Ok::<_, Infallible>(Bytes::copy_from_slice(text.as_bytes()))]);
    let read = SseStream::from_bytes_stream(chunks).collect::<Vec<_>>();
    read.now_or_never().unwrap()
}

#[test]
fn unusual_event_streams_are_parsed() {
    for (what, text) in UNUSUAL {
        assert_eq!(ours(text), ["x"], "{what}");
        assert!(sse_stream(text).iter().any(Result::is_err), "{what}");
    }
}

#[test]
fn event_over_the_limit_is_rejected_before_its_end() {
    let mut parser = Parser::new(1000);
    parser.push(&[b'x'; 1001]);
    assert_eq!(parser.next_event(), Err(SseError::TooLong { limit: 1000 }));
}
