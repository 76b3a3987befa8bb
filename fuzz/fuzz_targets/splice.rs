//! See `tests/fuzz/targets/splice.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mcp_manifold_fuzz::run("splice", data));
