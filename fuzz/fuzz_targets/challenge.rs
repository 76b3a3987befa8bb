//! See `tests/fuzz/targets/challenge.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mcp_manifold_fuzz::run("challenge", data));
