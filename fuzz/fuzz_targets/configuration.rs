//! See `tests/fuzz/targets/configuration.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mcp_manifold_fuzz::run("configuration", data));
