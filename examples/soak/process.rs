//! The proxy's process: its binary, its settings and its resource usage.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::process::Command;

use crate::servers::Site;

/// Short timeouts, so that a fault costs seconds and not minutes, and the run ends soon after the load.
const SETTINGS: [(&str, &str); 3] = [
    ("PROXY_TIMEOUT", "3s"),
    ("PROXY_CONNECT_WAIT", "10s"),
    ("PROXY_KEEP_ALIVE", "5s"),
];

/// Builds the proxy in the profile of this example if necessary, and returns its path: `cargo run
/// --example` builds only the example.
///
/// # Errors
/// If the build fails; cargo has then printed why.
pub(crate) async fn find_or_build() -> Result<PathBuf> {
    let example = std::env::current_exe().context("finding this program")?;
    let directory = example.parent().and_then(Path::parent);
    let directory = directory.context("this program is not in a directory `examples` of cargo")?;
    let target = directory.parent().context("no target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The example is named to keep the features of the dependencies.
    command
        .args([
            "build",
            "--quiet",
            "--bin",
            "mcp-manifold",
            "--example",
            "soak",
        ])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    match directory.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => {}
        Some(profile) => {
            command.args(["--profile", profile]);
        }
    }
    let status = command.status().await.context("running cargo")?;
    ensure!(status.success(), "the build failed; cargo said why above");
    Ok(directory.join(format!("mcp-manifold{}", std::env::consts::EXE_SUFFIX)))
}

/// Returns the command that launches the proxy in front of these servers, without other settings from this
/// process's environment.
pub(crate) fn command(proxy: &Path, home: &Path, sites: &[std::sync::Arc<Site>]) -> Command {
    let upstreams: Vec<_> = sites
        .iter()
        .map(|site| {
            let transport = site.kind.transport();
            json!({
                "name": site.kind.name(), "url": site.url(), "transport": transport,
                "prefix": "always", "oauth": false,
            })
        })
        .collect();
    let mut command = Command::new(proxy);
    command
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| {
            ["PATH", "SYSTEMROOT", "TMPDIR", "RUST_LOG"]
                .iter()
                .any(|&kept| name == kept)
        }))
        .env("HOME", home)
        .env("USERPROFILE", home)
        .env("PROXY_UPSTREAMS", json!(upstreams).to_string())
        .envs(SETTINGS)
        .kill_on_drop(true);
    command
}

/// The resource usage of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Resident memory, in KiB.
    pub(crate) rss: u64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
}

/// Reads the usage from `/proc`; returns `None` if there is no `/proc` or no such process.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let rss = line.trim().trim_end_matches(" kB").parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(Usage { rss, descriptors })
}
