//! The fuzz targets, which stand beside the test that runs them on any toolchain.

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

/// Runs the target of this name, which panics when something does not hold.
pub fn run(name: &str, data: &[u8]) {
    let target = targets::TARGETS.into_iter().find(|it| it.0 == name);
    let (_, target) = target.expect("there is no such target");
    target(data);
}
