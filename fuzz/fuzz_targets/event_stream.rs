//! See `tests/fuzz/targets/event_stream.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mcp_manifold_fuzz::run("event_stream", data));
