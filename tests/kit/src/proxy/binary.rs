//! Finds the proxy's binary.

use std::env;
use std::path::PathBuf;

/// Returns the path of the binary that cargo built for the tests.
///
/// `env!` does not work here. At compile time, cargo sets `CARGO_BIN_EXE_mcp-manifold` only for the test
/// targets of the binary's own package. Cargo (since 1.94) and nextest also set it for a running test.
///
/// A test program started by hand does not have the variable. The binary is then one folder above the
/// program: `target/debug/mcp-manifold` and `target/debug/deps/proxy-…`.
pub(super) fn path() -> PathBuf {
    if let Some(path) = env::var_os("CARGO_BIN_EXE_mcp-manifold") {
        return path.into();
    }
    let program = env::current_exe().unwrap();
    let folder = program.parent().and_then(|deps| deps.parent()).unwrap();
    let name = format!("mcp-manifold{}", env::consts::EXE_SUFFIX);
    let path = folder.join(name);
    assert!(path.is_file(), "no proxy at {}", path.display());
    path
}
