//! A host name that only the proxy can resolve, until the test stops that.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// The host name. It is in no DNS (RFC 2606 § 2).
pub(crate) const NAME: &str = "upstream.test";

/// Mounts our files over those of the system, for one process only, and executes the command that follows.
const SCRIPT: &str = r#"mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@""#;

/// The folder with the files that the proxy sees.
pub(crate) struct Hosts(TempDir);

impl Hosts {
    /// Makes the name resolve to this machine. Returns `None` where the system does not permit the mounts.
    pub(crate) fn new() -> Option<Self> {
        let hosts = Self(TempDir::new().unwrap());
        hosts.resolve();
        fs::write(hosts.0.path().join("nsswitch.conf"), "hosts: files\n").unwrap();
        let launcher = hosts.launcher();
        let tried = Command::new(&launcher[0])
            .args(&launcher[1..])
            .arg("true")
            .output();
        tried
            .is_ok_and(|tried| tried.status.success())
            .then_some(hosts)
    }

    /// Returns the command that launches a program with these files mounted.
    pub(crate) fn launcher(&self) -> Vec<String> {
        let path = |name| self.0.path().join(name).display().to_string();
        let words = ["unshare", "-rm", "sh", "-c", SCRIPT, "sh"];
        let words = words.map(str::to_owned).into_iter();
        words
            .chain([path("hosts"), path("nsswitch.conf")])
            .collect()
    }

    /// Makes the name resolve to this machine.
    pub(crate) fn resolve(&self) {
        self.write(&format!("127.0.0.1 {NAME}\n"));
    }

    /// Makes the name fail to resolve.
    pub(crate) fn stop_resolving(&self) {
        self.write("");
    }

    fn write(&self, text: &str) {
        // In place: the mount shows this file, not a replacement.
        fs::write(self.0.path().join("hosts"), text).unwrap();
    }
}
