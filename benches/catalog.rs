//! Measures 10,000 tools of 20 upstreams: reading the listings, naming, merging, writing.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mcp_manifold::catalog::name::{NamingInput, public_names};
use mcp_manifold::catalog::{Catalog, MergeInput};
use mcp_manifold::config::{Config, Prefix, Upstream};
use mcp_manifold::protocol::Era;
use mcp_manifold::upstream::ToolList;
use mcp_manifold::wire::Message;

const UPSTREAMS: usize = 20;

const TOOLS_EACH: usize = 500;

/// The maximum length of a public name, in characters.
const NAME_LENGTH: usize = 64;

fn tool_name(kind: &str, upstream: usize, tool: usize) -> String {
    match kind {
        "unique" => format!("upstream_{upstream}_tool_{tool}"),
        "colliding" => format!("tool_{tool}"),
        _ => format!("upstream.{upstream}.tool.{tool}"),
    }
}

fn names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("names");
    group.throughput(Throughput::Elements((UPSTREAMS * TOOLS_EACH) as u64));
    for kind in ["unique", "colliding", "mapped"] {
        let upstreams: Vec<(String, Vec<String>)> = (0..UPSTREAMS)
            .map(|upstream| {
                let tools = (0..TOOLS_EACH).map(|tool| tool_name(kind, upstream, tool));
                (format!("upstream-{upstream}"), tools.collect())
            })
            .collect();
        let inputs: Vec<NamingInput> = upstreams
            .iter()
            .map(|(upstream, tools)| NamingInput {
                upstream,
                prefix: &Prefix::OnCollision,
                tools: tools.iter().map(String::as_str).collect(),
            })
            .collect();
        group.bench_function(kind, |bencher| {
            bencher.iter(|| public_names(black_box(&inputs), NAME_LENGTH));
        });
    }
    group.finish();
}

fn configured() -> Vec<Upstream> {
    let entries: Vec<String> = (0..UPSTREAMS)
        .map(|index| format!(r#"{{"name":"u{index}","url":"https://u{index}.example/","ignore_tools":["*secret*"]}}"#))
        .collect();
    let value = format!("[{}]", entries.join(","));
    let environment = [("PROXY_UPSTREAMS".to_owned(), value)];
    let config = Config::from_environment(&environment.into_iter().collect()).unwrap();
    config.upstreams
}

/// Returns one upstream's result of `tools/list`, with definitions of about 600 bytes.
fn answer(kind: &str, upstream: usize) -> Bytes {
    let description = "What this tool does, at some length. ".repeat(8);
    let tools: Vec<String> = (0..TOOLS_EACH)
        .map(|tool| {
            let name = tool_name(kind, upstream, tool);
            format!(
                r#"{{"name":"{name}","description":"{description}","inputSchema":{{"type":"object","properties":{{"query":{{"type":"string","description":"what to look for"}},"limit":{{"type":"integer","minimum":1}}}},"required":["query"]}},"annotations":{{"readOnlyHint":true}}}}"#
            )
        })
        .collect();
    let tools = tools.join(",");
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tools}]}}}}"#).into()
}

fn read(answers: &[Bytes], era: Era) -> Vec<ToolList> {
    let read = |answer: &Bytes| {
        let mut listing = ToolList::default();
        let message = Message::parse(answer.clone()).unwrap();
        listing.add_page(&message, era).unwrap();
        listing
    };
    answers.iter().map(read).collect()
}

fn listings(criterion: &mut Criterion) {
    let answers: Vec<Bytes> = (0..UPSTREAMS)
        .map(|upstream| answer("unique", upstream))
        .collect();
    let mut group = criterion.benchmark_group("listings");
    group.throughput(Throughput::Bytes(
        answers.iter().map(|a| a.len() as u64).sum(),
    ));
    for (name, era) in [("legacy", Era::Legacy), ("modern", Era::Modern)] {
        group.bench_function(name, |bencher| {
            bencher.iter_with_large_drop(|| read(black_box(&answers), era));
        });
    }
    group.finish();
}

fn merges(criterion: &mut Criterion) {
    let config = configured();
    let mut group = criterion.benchmark_group("merge");
    group.throughput(Throughput::Elements((UPSTREAMS * TOOLS_EACH) as u64));
    for kind in ["unique", "colliding"] {
        let answers: Vec<Bytes> = (0..UPSTREAMS)
            .map(|upstream| answer(kind, upstream))
            .collect();
        let listings = read(&answers, Era::Modern).into_iter().map(Arc::new);
        let sources: Vec<MergeInput> = config
            .iter()
            .zip(listings)
            .map(|(config, listing)| MergeInput {
                config,
                listing: Some(listing),
            })
            .collect();
        let merge = || Catalog::merge(black_box(&sources), NAME_LENGTH);
        assert_eq!(merge().len(), UPSTREAMS * TOOLS_EACH);
        group.bench_function(format!("{kind}, merged"), |bencher| {
            bencher.iter_with_large_drop(merge);
        });
        group.bench_function(format!("{kind}, merged and written"), |bencher| {
            bencher.iter_with_large_drop(|| merge().tools(Era::Modern));
        });
    }
    group.finish();
}

criterion_group!(benches, names, listings, merges);
criterion_main!(benches);
