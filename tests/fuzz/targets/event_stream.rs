//! Event streams: the events of the standard, in any chunks, within the limit.

use std::time::Duration;

use bytes::Bytes;
use mcp_manifold::wire::sse::{Event, Parser, SseError};

use super::split_control;

/// The events of a stream, and the error that ended it.
type Read = (Vec<Event>, Option<SseError>);

/// The first byte of the first line is the size limit, each other byte the length of a chunk. The
/// rest of the input is the stream.
pub(crate) fn event_stream(data: &[u8]) {
    let (control, stream) = split_control(data);
    let (limit, sizes) = match control {
        [] | [0 | b'0', ..] => (usize::MAX, control.get(1..).unwrap_or_default()),
        [limit, sizes @ ..] => (usize::from(*limit), sizes),
    };
    let whole = read(limit, [stream]);
    assert_eq!(read(limit, stream.chunks(1)), whole, "byte by byte");
    assert_eq!(read(limit, chunks(stream, sizes)), whole, "in chunks");
    assert_eq!(whole, expected(limit, stream), "against the standard");
    for event in &whole.0 {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let data = event.data.as_ref().map_or(0, Bytes::len);
        assert!(text(&event.name).max(text(&event.id)).max(data) <= limit);
    }
}

fn chunks<'a>(mut stream: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for &size in sizes.iter().cycle() {
        if stream.is_empty() {
            break;
        }
        // An empty chunk occasionally, but not endlessly.
        let size = usize::from(size) + usize::from(chunks.len() % 7 == 0);
        let (chunk, rest) = stream.split_at(size.min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks.push(stream);
    chunks
}

fn read<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut parser = Parser::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        parser.push(chunk);
        loop {
            match parser.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(parser.next_event(), Err(error), "an error stays");
                    return (events, Some(error));
                }
            }
        }
    }
    (events, None)
}

/// A line-by-line parser by WHATWG HTML § 9.2.6. The limit applies to a block from its first field
/// on.
fn expected(limit: usize, stream: &[u8]) -> Read {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let mut events = Vec::new();
    if MARK.starts_with(stream) {
        return (events, None);
    }
    let stream = stream.strip_prefix(MARK).unwrap_or(stream);
    let (mut block, mut data) = (empty(), Vec::new());
    let (mut at, mut start) = (0, 0);
    loop {
        if block == empty() {
            start = at;
        }
        let end = stream[at..].iter().position(|byte| b"\r\n".contains(byte));
        let held = end.map_or(stream.len(), |end| at + end + 1) - start;
        if held > limit {
            return (events, Some(SseError::TooLong { limit }));
        }
        let Some(end) = end.map(|end| at + end) else {
            return (events, None);
        };
        let line = &stream[at..end];
        at = end
            + if stream[end..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
        if !line.is_empty() {
            if let Err(error) = field(line, &mut block, &mut data) {
                return (events, Some(error));
            }
            continue;
        }
        let mut event = std::mem::replace(&mut block, empty());
        let lines = std::mem::take(&mut data);
        event.data = event.data.map(|_| Bytes::from(lines.join(&b'\n')));
        if event.data.is_some() || event.id.is_some() || event.retry.is_some() {
            events.push(event);
        }
    }
}

fn empty() -> Event {
    Event {
        name: None,
        data: None,
        id: None,
        retry: None,
    }
}

fn field<'a>(line: &'a [u8], block: &mut Event, data: &mut Vec<&'a [u8]>) -> Result<(), SseError> {
    let mut parts = line.splitn(2, |&byte| byte == b':');
    let name = parts.next().unwrap_or_default();
    let value = parts.next().unwrap_or_default();
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let text = || String::from_utf8(value.to_vec()).map_err(|_| SseError::NotUtf8);
    match name {
        b"data" => {
            block.data = Some(Bytes::new());
            data.push(value);
        }
        b"event" => block.name = Some(text()?).filter(|name| !name.is_empty()),
        b"id" if !value.contains(&0) => block.id = Some(text()?),
        b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
            let time = text()?.parse().ok().map(Duration::from_millis);
            block.retry = time.or(block.retry);
        }
        _ => {}
    }
    Ok(())
}
