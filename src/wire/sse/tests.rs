//! Tests of line ends, fields, chunk borders and limits.

use super::*;

mod any_stream;

const LIMIT: usize = 1024;

fn events_of<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut parser = Parser::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        parser.push(chunk);
        while let Some(event) = parser.next_event().expect("a sound stream") {
            events.push(event);
        }
    }
    events
}

/// The events of `stream`, which must be the same in one piece, byte by byte, and in any two parts.
#[track_caller]
fn events(stream: &[u8]) -> Vec<Event> {
    let whole = events_of(LIMIT, [stream]);
    assert_eq!(events_of(LIMIT, stream.chunks(1)), whole, "byte by byte");
    for cut in 0..stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(events_of(LIMIT, [head, tail]), whole, "cut at {cut}");
    }
    whole
}

fn message(data: &str) -> Event {
    Event {
        name: None,
        data: Some(Bytes::copy_from_slice(data.as_bytes())),
        id: None,
        retry: None,
    }
}

fn error_of(limit: usize, stream: &[u8]) -> Option<SseError> {
    let mut parser = Parser::new(limit);
    parser.push(stream);
    loop {
        match parser.next_event() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

#[test]
fn every_line_end_ends_a_line() {
    for stream in [
        "data: a\ndata: b\n\ndata: c\n\n",
        "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n",
        "data: a\rdata: b\r\rdata: c\r\r",
        "data: a\r\ndata: b\n\rdata: c\r\r\n",
        "data: a\ndata: b\r\n\ndata: c\n\r",
        "data: a\rdata: b\n\r\ndata: c\r\n\r",
    ] {
        assert_eq!(
            events(stream.as_bytes()),
            [message("a\nb"), message("c")],
            "{stream:?}"
        );
    }
}

#[test]
fn an_event_does_not_wait_for_a_line_feed_after_carriage_return() {
    let mut parser = Parser::new(LIMIT);
    parser.push(b"data: a\r\n\r");
    assert_eq!(parser.next_event(), Ok(Some(message("a"))));
    parser.push(b"\ndata: b\r\n\r\n");
    assert_eq!(parser.next_event(), Ok(Some(message("b"))));
    assert_eq!(parser.next_event(), Ok(None));
}

#[test]
fn fields_are_read_as_the_standard_says() {
    let named = |name: &str| Event {
        name: Some(name.to_owned()),
        ..message("d")
    };
    let with_id = |id: &str| Event {
        id: Some(id.to_owned()),
        ..message("d")
    };
    let retrying = |ms| Event {
        retry: Some(Duration::from_millis(ms)),
        ..message("d")
    };
    for (stream, expected) in [
        ("data:d\n\n", message("d")),
        ("data: d\n\n", message("d")),
        ("data:  d \n\n", message(" d ")),
        ("data:\td\n\n", message("\td")),
        ("data: a:b: c\n\n", message("a:b: c")),
        ("data\n\n", message("")),
        ("data:\n\n", message("")),
        ("data\ndata\n\n", message("\n")),
        ("data: a\ndata:\ndata\ndata:b\n\n", message("a\n\n\nb")),
        ("Data: x\ndatax: x\n data: x\ndata: d\n\n", message("d")),
        (": comment\ndata: d\n:\n\n", message("d")),
        ("unknown\nunknown: x\ndata: d\n\n", message("d")),
        ("\n\n\ndata: d\n\n", message("d")),
        (
            "data: caf\u{e9} \u{2028}\u{85}\n\n",
            message("caf\u{e9} \u{2028}\u{85}"),
        ),
        ("event: ping\ndata: d\n\n", named("ping")),
        ("event: message\ndata: d\n\n", named("message")),
        ("event: a\ndata: d\nevent: b\n\n", named("b")),
        ("event: a\ndata: d\nevent\n\n", message("d")),
        ("event: a\n\ndata: d\n\n", message("d")),
        ("id: 1\ndata: d\n\n", with_id("1")),
        ("data: d\nid\n\n", with_id("")),
        ("id: 1\nid: a\0b\ndata: d\n\n", with_id("1")),
        ("id: \0\ndata: d\n\n", message("d")),
        ("retry: 1500\ndata: d\n\n", retrying(1500)),
        ("retry: 7\nretry: soon\ndata: d\n\n", retrying(7)),
        (
            "retry: -1\nretry: +1\nretry: 1.5\nretry: 0x1\nretry\ndata: d\n\n",
            message("d"),
        ),
        ("retry: 99999999999999999999\ndata: d\n\n", message("d")),
        ("\u{feff}data: d\n\n", message("d")),
        ("\u{feff}\u{feff}data: x\ndata: d\n\n", message("d")),
    ] {
        assert_eq!(events(stream.as_bytes()), [expected], "{stream:?}");
    }
}

#[test]
fn a_block_without_data_yields_its_id_and_retry_time() {
    let priming = Event {
        name: None,
        data: None,
        id: Some("7".to_owned()),
        retry: Some(Duration::from_secs(3)),
    };
    assert_eq!(events(b"id: 7\nretry: 3000\n\n"), [priming]);
    assert_eq!(
        events(b"event: x\n\n: comment\n\nretry: no\n\nid: \0\n\n"),
        []
    );
}

#[test]
fn an_event_ends_with_a_blank_line() {
    for tail in [
        "",
        "data: b",
        "data: b\n",
        "data: b\r",
        "data: b\r\n",
        "id: 1\n",
        ":",
        "\u{feff}",
    ] {
        let stream = format!("data: a\n\n{tail}");
        assert_eq!(events(stream.as_bytes()), [message("a")], "{tail:?}");
    }
    assert_eq!(events(b"\xEF\xBB"), []);
    assert_eq!(events(b""), []);
}

#[test]
fn a_partial_byte_order_mark_is_a_field_name() {
    assert_eq!(events(b"\xEF\xBBdata: x\ndata: d\n\n"), [message("d")]);
    assert_eq!(events(b"\xEF\n\ndata: d\n\n"), [message("d")]);
}

#[test]
fn data_that_is_not_utf8_is_left_to_the_caller() {
    let expected = Event {
        data: Some(Bytes::from_static(b"\xFF")),
        ..message("")
    };
    assert_eq!(events(b"data: \xFF\n\n"), [expected]);
    assert_eq!(events(b"\xFF: \xFF\ndata: d\n\n"), [message("d")]);
    assert_eq!(error_of(LIMIT, b"event: \xFF\n\n"), Some(SseError::NotUtf8));
    assert_eq!(error_of(LIMIT, b"id: \xFF\n\n"), Some(SseError::NotUtf8));
}

#[test]
fn a_single_data_line_is_not_copied() {
    let mut parser = Parser::new(LIMIT);
    parser.push(b"data: first\n\ndata: second\n\n");
    let first = parser.next_event().unwrap().unwrap().data.unwrap();
    let second = parser.next_event().unwrap().unwrap().data.unwrap();
    let apart = second.as_ptr() as usize - first.as_ptr() as usize;
    assert_eq!(apart, "first\n\ndata: ".len());
}

#[test]
fn an_event_may_be_as_long_as_the_limit() {
    let stream = b"data: 12345\n\n";
    assert_eq!(events_of(stream.len(), [&stream[..]]).len(), 1);
    assert_eq!(events_of(stream.len(), stream.chunks(1)).len(), 1);
    let limit = stream.len() - 1;
    assert_eq!(error_of(limit, stream), Some(SseError::TooLong { limit }));
}

#[test]
fn an_oversized_event_fails_early_and_permanently() {
    let mut parser = Parser::new(8);
    parser.push(b"data:a\n\ndata: 12");
    assert_eq!(parser.next_event(), Ok(Some(message("a"))));
    assert_eq!(parser.next_event(), Ok(None));
    parser.push(b"3");
    assert_eq!(parser.next_event(), Err(SseError::TooLong { limit: 8 }));
    parser.push(b"\n\ndata: b\n\n");
    assert_eq!(parser.next_event(), Err(SseError::TooLong { limit: 8 }));
    assert_eq!(
        SseError::TooLong { limit: 8 }.to_string(),
        "an event is longer than 8 bytes"
    );
}

#[test]
fn keep_alive_comments_do_not_count_towards_the_limit() {
    let stream = b": keep-alive\n".repeat(1000);
    assert_eq!(events_of(64, [&stream[..]]), []);
    assert_eq!(events_of(64, stream.chunks(7)), []);
    assert_eq!(
        error_of(64, &[b':'; 65]),
        Some(SseError::TooLong { limit: 64 })
    );
}

#[test]
fn a_large_buffer_is_released_after_its_event() {
    let mut parser = Parser::new(usize::MAX);
    parser.push(&[b"data: ", &b"x".repeat(1 << 20)[..], b"\n\ndata: b"].concat());
    assert!(parser.next_event().unwrap().is_some());
    assert!(parser.buffer.capacity() <= MAX_RETAINED_BUFFER);
    parser.push(b"\n\n");
    assert_eq!(parser.next_event(), Ok(Some(message("b"))));
}

#[test]
fn a_partial_event_begins_with_its_first_byte() {
    let cases = [
        ("", false),
        (": comment\n", false),
        (": comment\n\n", false),
        ("data: x\n\n", false),
        ("data: x\r\n\r", false),
        ("d", true),
        ("data: x", true),
        ("data: x\n", true),
        ("id: 1\n: comment\n", true),
        ("data: x\n\nd", true),
    ];
    for (text, is_partial) in cases {
        let mut parser = Parser::new(1000);
        parser.push(text.as_bytes());
        while parser.next_event().unwrap().is_some() {}
        assert_eq!(parser.has_partial_event(), is_partial, "{text:?}");
    }
}
