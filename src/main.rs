//! The `mcp-manifold` program.
fn main() {}
