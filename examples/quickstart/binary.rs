//! Finds the proxy's binary beside this example, and builds it if it is missing or older than its
//! sources. `cargo run --example` builds only the example and the library.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::print::Printer;

/// Returns the path of an up-to-date binary.
///
/// # Errors
/// If the build fails; cargo has then printed why.
pub(crate) async fn find_or_build(printer: &Printer) -> Result<PathBuf> {
    let example = std::env::current_exe().context("finding this program")?;
    let directory = example.parent().and_then(Path::parent);
    let directory = directory.context("this program is not in a directory `examples` of cargo")?;
    let binary = directory.join(format!("mcp-manifold{}", std::env::consts::EXE_SUFFIX));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !is_current(&binary, sources) {
        printer.building(&binary);
        build(directory, sources).await?;
    }
    let found = binary.is_file();
    ensure!(found, "no binary at `{}` after the build", binary.display());
    Ok(binary)
}

async fn build(directory: &Path, sources: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from(env!("CARGO")));
    let mut command = Command::new(&cargo);
    // The example is built already. It is named to keep the features of the dependencies: without it,
    // cargo would build every dependency again.
    command
        .args(["build", "--bin", "mcp-manifold"])
        .args(["--example", "quickstart", "--manifest-path"])
        .arg(sources.join("Cargo.toml"));
    // The directory is `<target>/<profile>`, and the profile `dev` is the one with another name.
    match directory.file_name().and_then(OsStr::to_str) {
        None | Some("debug") => {}
        Some(profile) => {
            command.args(["--profile", profile]);
        }
    }
    if let Some(target) = directory.parent() {
        command.arg("--target-dir").arg(target);
    }
    let status = command.status().await;
    let status = status.with_context(|| format!("running `{}`", cargo.display()))?;
    ensure!(
        status.success(),
        "the build failed; cargo printed why above"
    );
    Ok(())
}

/// Returns `true` if the binary exists and no source is newer. Without sources, any binary is current.
fn is_current(binary: &Path, sources: &Path) -> bool {
    let Some(built) = modified(binary) else {
        return false;
    };
    let inputs = ["src", "Cargo.toml", "Cargo.lock"].map(|name| sources.join(name));
    inputs
        .iter()
        .filter_map(|path| newest(path))
        .all(|time| time <= built)
}

/// Returns when `path`, or the newest file below it, was last changed.
fn newest(path: &Path) -> Option<SystemTime> {
    let Ok(entries) = fs::read_dir(path) else {
        return modified(path);
    };
    entries
        .flatten()
        .filter_map(|entry| newest(&entry.path()))
        .max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
