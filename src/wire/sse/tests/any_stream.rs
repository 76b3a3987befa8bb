//! Property tests: generated streams, compared with the `sse-stream` crate.

use super::*;
use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;

/// Blocks that the `sse-stream` crate accepts too: it rejects repeated and malformed fields.
fn block() -> impl Strategy<Value = String> {
    let end = || prop::sample::select(vec!["\n", "\r\n", "\r"]);
    let text = "[ -~\u{e9}\u{20ac}:]{0,12}";
    let line = |field: &'static str, value: &'static str| {
        (prop::sample::select(vec!["", " "]), value, end())
            .prop_map(move |(space, value, end)| format!("{field}:{space}{value}{end}"))
    };
    let data = prop::collection::vec(prop_oneof![line("data", text), line("", text)], 0..4);
    let once = (
        prop::option::of(line("event", "[a-z]{1,7}")),
        prop::option::of(line("id", text)),
        prop::option::of(line("retry", "[0-9]{1,6}")),
    );
    (data, once, end()).prop_flat_map(|(data, (event, id, retry), end)| {
        let lines: Vec<String> = data
            .into_iter()
            .chain(event)
            .chain(id)
            .chain(retry)
            .collect();
        Just(lines).prop_shuffle().prop_map(move |lines| {
            let block = lines.concat();
            // A line feed after a carriage return would be the same line end.
            let end = if block.ends_with('\r') { "\r" } else { end };
            block + end
        })
    })
}

/// The events that `sse-stream` reads, without empty ones.
fn oracle(stream: &str) -> Vec<Event> {
    let chunk = Bytes::copy_from_slice(stream.as_bytes());
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>(chunk)]);
    let read = sse_stream::SseStream::from_bytes_stream(body).collect::<Vec<_>>();
    let read = read.now_or_never().expect("all of it is there");
    let events = read.into_iter().map(|sse| {
        let sse = sse.expect("a sound stream");
        let data = sse.data.map(Bytes::from);
        Event {
            name: sse.event,
            data,
            id: sse.id,
            retry: sse.retry.map(Duration::from_millis),
        }
    });
    events
        .filter(|event| event.data.is_some() || event.id.is_some() || event.retry.is_some())
        .collect()
}

proptest! {
    #[test]
    fn any_stream_in_any_chunks_parses_as_with_sse_stream(
        blocks in prop::collection::vec(block(), 0..6),
        tail in "(data: [a-z]{0,4})?",
        mark in prop::sample::select(vec!["", "\u{feff}"]),
        sizes in prop::collection::vec(1_usize..9, 1..20),
    ) {
        let stream = mark.to_owned() + &blocks.concat() + &tail;
        let mut rest = stream.as_bytes();
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        let expected = oracle(&stream);
        prop_assert_eq!(&events_of(LIMIT, chunks), &expected);
        prop_assert_eq!(&events_of(LIMIT, [stream.as_bytes()]), &expected);
    }

    #[test]
    fn no_input_panics_and_chunk_borders_do_not_matter(
        stream in prop::collection::vec(prop::sample::select(b"\n\r: \0d\xFF\xEF\xBB\xBFatievnry0".to_vec()), 0..200),
        cut in 0_usize..200,
        limit in 0_usize..60,
    ) {
        let read = |chunks: &[&[u8]]| {
            let mut parser = Parser::new(limit);
            let mut events = Vec::new();
            for chunk in chunks {
                parser.push(chunk);
                while let Some(event) = parser.next_event().transpose() {
                    let ended = event.is_err();
                    events.push(event);
                    if ended {
                        return events;
                    }
                }
            }
            events
        };
        let (head, tail) = stream.split_at(cut.min(stream.len()));
        prop_assert_eq!(read(&[head, tail]), read(&[&stream]));
    }
}
