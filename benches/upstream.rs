//! Measures an upstream: building its HTTP client once, and its parameter headers with every call.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mcp_manifold::config::{Config, ServerUrl};
use mcp_manifold::net::Clients;
use mcp_manifold::protocol::param_headers;

fn url(text: &str) -> ServerUrl {
    let environment = [("PROXY_URL".to_owned(), text.to_owned())];
    let config = Config::from_environment(&environment.into_iter().collect()).unwrap();
    config.upstreams[0].url.clone()
}

/// Measures building a client; the network's client reads the system's certificates.
fn clients(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("client");
    group.sample_size(20);
    for (name, url) in [
        ("loopback", url("http://127.0.0.1:1/")),
        ("network", url("https://mcp.example.com/")),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_with_large_drop(|| {
                runtime
                    .block_on(Clients::default().get(url.as_url()))
                    .unwrap()
            });
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
    let params = param_headers::parse_param_headers(&annotated).unwrap();
    let arguments = format!(
        r#"{{"b":"{}","a":"us-west1"}}"#,
        "some text ".repeat(100_000)
    );
    let mut group = criterion.benchmark_group("param_headers");
    for (name, tool) in [
        ("a 4 KB tool without", plain),
        ("a 4 KB tool with", annotated),
    ] {
        group.throughput(Throughput::Bytes(tool.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| param_headers::parse_param_headers(black_box(&tool)));
        });
    }
    group.throughput(Throughput::Bytes(arguments.len() as u64));
    group.bench_function("1 MB of arguments", |bencher| {
        bencher.iter(|| param_headers::header_values(&params, black_box(&arguments)));
    });
    group.finish();
}

criterion_group!(benches, clients, mirrored);
criterion_main!(benches);
