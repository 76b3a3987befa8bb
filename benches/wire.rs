//! Measures what is done for each message: its envelope, its two changed members, its line, its stream.
//! Rejected alternatives are measured too, so that a decision can be checked again.
#![allow(missing_docs, clippy::unwrap_used)]

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{FutureExt, StreamExt, stream};
use mcp_manifold::wire::sse::Parser;
use mcp_manifold::wire::{Line, Message, Splice, members};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sse_stream::SseStream;

/// The size of one read from a connection, in bytes.
const CHUNK: usize = 16 * 1024;

const LIMIT: usize = 64 << 20;

const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}"#;

/// A row of a result: nine tokens to parse.
const ROW: &str = r#"{"id":4711,"title":"a row of the result","score":0.25,"open":true}"#;

fn call(argument_bytes: usize) -> Bytes {
    let text = "some text ".repeat(argument_bytes / 10);
    format!(
        r#"{{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{{"name":"search","arguments":{{"query":"{text}","limit":10}},"_meta":{{"progressToken":17}}}}}}"#
    )
    .into()
}

fn result(bytes: usize) -> Bytes {
    let rows = vec![ROW; bytes / (ROW.len() + 1)].join(",");
    format!(
        r#"{{"jsonrpc":"2.0","id":17,"result":{{"content":[{{"type":"text","text":"see the rows"}}],"structuredContent":{{"rows":[{rows}]}}}}}}"#
    )
    .into()
}

/// Parses a message into values and serializes it again, as a proxy with typed messages must.
fn reprint<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::from_slice::<T>(bytes).unwrap()).unwrap()
}

fn envelopes(criterion: &mut Criterion) {
    let reprint_call: fn(&[u8]) -> Vec<u8> = reprint::<ClientJsonRpcMessage>;
    let reprint_result: fn(&[u8]) -> Vec<u8> = reprint::<ServerJsonRpcMessage>;
    for (name, bytes, reprint_typed) in [
        ("a small call", call(20), reprint_call),
        ("a 200 KB result", result(200 << 10), reprint_result),
        ("a 16 MiB result", result(16 << 20), reprint_result),
    ] {
        let mut group = criterion.benchmark_group(format!("envelope of {name}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        if bytes.len() > 1 << 20 {
            group.sample_size(10);
        }
        group.bench_function("ours", |bencher| {
            bencher.iter(|| Message::parse(black_box(&bytes).clone()).unwrap());
        });
        group.bench_function("serde_json::Value", |bencher| {
            bencher.iter(|| reprint::<serde_json::Value>(black_box(&bytes)));
        });
        group.bench_function("rmcp", |bencher| {
            bencher.iter(|| reprint_typed(black_box(&bytes)));
        });
        group.finish();
    }
}

/// Measures the two changes of a call: our id, and the tool's native name.
fn splices(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("splice id and name");
    for (name, bytes) in [
        ("a small call", call(20)),
        ("a 200 KB call", call(200 << 10)),
    ] {
        let message = Message::parse(bytes).unwrap();
        group.throughput(Throughput::Bytes(message.bytes().len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let params = black_box(&message).params().unwrap();
                let start = message.params_span().unwrap().start;
                let name = members(params).find(|m| m.key() == "name").unwrap().span();
                let mut splice = Splice::new(message.bytes());
                splice.replace(message.id_span().unwrap(), &b"4242"[..]);
                splice.replace(start + name.start..start + name.end, &b"\"find\""[..]);
                splice.finish()
            });
        });
    }
    group.finish();
}

/// Measures writing a response: the client's id, one line, the writer's buffer.
fn lines(criterion: &mut Criterion) {
    let compact = Message::parse(result(200 << 10)).unwrap();
    let value: serde_json::Value = serde_json::from_slice(compact.bytes()).unwrap();
    let pretty = Message::parse(serde_json::to_vec_pretty(&value).unwrap()).unwrap();
    let mut group = criterion.benchmark_group("line of a 200 KB result");
    for (name, message) in [("compact", compact), ("pretty-printed", pretty)] {
        group.throughput(Throughput::Bytes(message.bytes().len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                Line::with_id(black_box(&message), Bytes::from_static(b"\"a\"")).strip_line_breaks()
            });
        });
    }
    group.finish();
}

fn event(data_length: usize) -> String {
    let text = r#"{"type":"text","text":"some text of a tool's result"},"#;
    let data: String = text.chars().cycle().take(data_length).collect();
    format!("event: message\ndata: {data}\n\n")
}

fn read_ours(chunks: &[Bytes]) -> usize {
    let mut parser = Parser::new(LIMIT);
    let mut events = 0;
    for chunk in chunks {
        parser.push(chunk);
        while let Some(event) = parser.next_event().unwrap() {
            black_box(event);
            events += 1;
        }
    }
    events
}

fn read_sse_stream(chunks: &[Bytes]) -> usize {
    let chunks = stream::iter(chunks.iter().cloned().map(Ok::<_, Infallible>));
    let read = SseStream::from_bytes_stream(chunks).fold(0, |events, event| {
        black_box(event.unwrap());
        std::future::ready(events + 1)
    });
    read.now_or_never().unwrap()
}

fn event_streams(criterion: &mut Criterion) {
    let lines: String = (0..100)
        .map(|line| {
            format!("data: {{\"line\": {line}, \"text\": \"a pretty-printed result\"}}\r\n")
        })
        .collect();
    for (name, text) in [
        ("8 KiB events", event(8 << 10).repeat(512)),
        ("one 32 MiB event", event(32 << 20)),
        (
            "progress events",
            format!("data: {PROGRESS}\n\n").repeat(10_000),
        ),
        ("100-line events", format!("{lines}\r\n").repeat(500)),
    ] {
        let text = Bytes::from(text);
        let chunks: Vec<Bytes> = text
            .chunks(CHUNK)
            .map(|chunk| text.slice_ref(chunk))
            .collect();
        assert_eq!(read_ours(&chunks), read_sse_stream(&chunks));
        let mut group = criterion.benchmark_group(format!("event stream of {name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.sample_size(20);
        type Read = fn(&[Bytes]) -> usize;
        for (reader, read) in [("ours", read_ours as Read), ("sse-stream", read_sse_stream)] {
            group.bench_function(reader, |bencher| {
                bencher.iter_batched(|| (), |()| read(&chunks), BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, envelopes, splices, lines, event_streams);
criterion_main!(benches);
