//! Where the proxy's binary is.

use std::env;
use std::path::PathBuf;

/// The path of the binary that cargo built for the tests.
///
/// `env!` cannot tell it here: cargo gives `CARGO_BIN_EXE_mcp-manifold` to the compiler only for the
/// test targets of the binary's own package. It gives the variable to a running test as well (since
/// 1.94; so does nextest). Where it is missing, as in a test program that a person starts, the binary
/// stands one folder above the program: `target/debug/mcp-manifold` and `target/debug/deps/proxy-…`.
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
