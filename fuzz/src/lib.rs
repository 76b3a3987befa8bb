//! The fuzz targets, which are in `tests/fuzz`, where a test runs them on any toolchain.

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

/// Runs the target of this name, which panics if a property does not hold.
pub fn run(name: &str, data: &[u8]) {
    let target = targets::TARGETS.into_iter().find(|it| it.0 == name);
    let (_, target) = target.expect("there is no such target");
    target(data);
}
