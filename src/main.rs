//! The `mcp-manifold` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_manifold::cli::run()
}
