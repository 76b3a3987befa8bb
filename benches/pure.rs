//! How fast the pure pieces are: event streams by the megabyte, names by the ten thousand.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mcp_manifold::catalog::name::{Offer, public_names};
use mcp_manifold::config::Prefix;
use mcp_manifold::upstream::mirror;
use mcp_manifold::wire::sse::Parser;

/// What one read of a connection gives, in bytes.
const CHUNK: usize = 16 * 1024;

const LIMIT: usize = 64 << 20;

fn event(data_length: usize) -> Vec<u8> {
    let text = r#"{"type":"text","text":"some text of a tool's result"},"#;
    let data: String = text.chars().cycle().take(data_length).collect();
    format!("event: message\ndata: {data}\n\n").into_bytes()
}

fn event_streams(criterion: &mut Criterion) {
    let progress = br#"data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}"#;
    let progress = [&progress[..], b"\n\n"].concat();
    let lines: String = (0..100)
        .map(|line| {
            format!("data: {{\"line\": {line}, \"text\": \"a pretty-printed result\"}}\r\n")
        })
        .collect();
    let lines = format!("{lines}\r\n").into_bytes();
    let mut group = criterion.benchmark_group("sse");
    for (name, stream) in [
        ("8 KiB events", event(8 << 10).repeat(512)),
        ("one 32 MiB event", event(32 << 20)),
        ("progress events", progress.repeat(10_000)),
        ("100-line events", lines.repeat(500)),
    ] {
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Parser::new(LIMIT),
                |mut parser| {
                    let mut events = 0;
                    for chunk in stream.chunks(CHUNK) {
                        parser.push(chunk);
                        while let Some(event) = parser.next_event().unwrap() {
                            black_box(event);
                            events += 1;
                        }
                    }
                    assert!(events > 0);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10,000 names");
    let tool = |upstream: usize, tool: usize, kind: &str| match kind {
        "unique" => format!("upstream_{upstream}_tool_{tool}"),
        "colliding" => format!("tool_{tool}"),
        _ => format!("upstream.{upstream}.tool.{tool}"),
    };
    for kind in ["unique", "colliding", "mapped"] {
        let upstreams: Vec<(String, Vec<String>)> = (0..20)
            .map(|upstream| {
                (
                    format!("upstream-{upstream}"),
                    (0..500).map(|index| tool(upstream, index, kind)).collect(),
                )
            })
            .collect();
        let offers: Vec<Offer> = upstreams
            .iter()
            .map(|(upstream, tools)| Offer {
                upstream,
                prefix: &Prefix::OnCollision,
                tools: tools.iter().map(String::as_str).collect(),
            })
            .collect();
        group.bench_function(kind, |bencher| {
            bencher.iter(|| public_names(black_box(&offers), 64));
        });
    }
    group.finish();
}

fn mirrored(criterion: &mut Criterion) {
    let description = "What this tool does, at some length. ".repeat(50);
    let property = |annotation: &str| {
        format!(r#"{{"type":"string","description":"{description}"{annotation}}}"#)
    };
    let definition = |annotation: &str| {
        let (a, b) = (property(annotation), property(""));
        format!(
            r#"{{"name":"t","inputSchema":{{"type":"object","properties":{{"b":{b},"a":{a}}}}}}}"#
        )
    };
    let (plain, annotated) = (definition(""), definition(r#","x-mcp-header":"Region""#));
    let params = mirror::mirrored_params(&annotated).unwrap();
    let arguments = format!(
        r#"{{"b":"{}","a":"us-west1"}}"#,
        "some text ".repeat(100_000)
    );
    let mut group = criterion.benchmark_group("mirror");
    group.bench_function("a 4 KB tool without", |bencher| {
        bencher.iter(|| mirror::mirrored_params(black_box(&plain)));
    });
    group.bench_function("a 4 KB tool with", |bencher| {
        bencher.iter(|| mirror::mirrored_params(black_box(&annotated)));
    });
    group.bench_function("1 MB of arguments", |bencher| {
        bencher.iter(|| mirror::mirror(&params, black_box(&arguments)));
    });
    group.finish();
}

criterion_group!(benches, event_streams, names, mirrored);
criterion_main!(benches);
