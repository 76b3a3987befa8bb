//! Finds the proxy's binary.

use std::env;
use std::path::PathBuf;

/// Returns the path of the binary that cargo built for the tests.
///
/// `env!` does not work here: cargo sets `CARGO_BIN_EXE_mcp-manifold` at compile time only for the test
/// targets of the binary's own package. Cargo (since 1.94) and nextest also set it for a running test.
/// Without the variable, as in a test program started by hand, the binary is one folder above the
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
