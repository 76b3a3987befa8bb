//! A name that the proxy, and nobody else, can resolve, for as long as the test wants.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// The name, which is in no DNS (RFC 2606 § 2).
pub(crate) const NAME: &str = "upstream.test";

/// Puts files of ours in the place of the system's, for one process alone, and becomes what follows.
const SCRIPT: &str = r#"mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@""#;

/// The files that the proxy sees.
pub(crate) struct Hosts(TempDir);

impl Hosts {
    /// With the name as this machine's; `None` where the system lets nobody do this.
    pub(crate) fn new() -> Option<Self> {
        let hosts = Self(TempDir::new().unwrap());
        hosts.know();
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

    /// The command under which the files are seen.
    pub(crate) fn launcher(&self) -> Vec<String> {
        let path = |name| self.0.path().join(name).display().to_string();
        let words = ["unshare", "-rm", "sh", "-c", SCRIPT, "sh"];
        let words = words.map(str::to_owned).into_iter();
        words
            .chain([path("hosts"), path("nsswitch.conf")])
            .collect()
    }

    /// Lets the name be resolved.
    pub(crate) fn know(&self) {
        self.write(&format!("127.0.0.1 {NAME}\n"));
    }

    /// Lets it be resolved no more.
    pub(crate) fn forget(&self) {
        self.write("");
    }

    fn write(&self, text: &str) {
        // In place: another file would not be the one that is mounted.
        fs::write(self.0.path().join("hosts"), text).unwrap();
    }
}
