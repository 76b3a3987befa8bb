//! Searches visible output and stored files for secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::proxy::Client;

/// Output that other people may see: logs, errors, pages and arguments.
#[derive(Default)]
pub(crate) struct Seen(Vec<(String, String)>);

impl Seen {
    pub(crate) fn add(&mut self, where_: &str, text: impl Into<String>) {
        self.0.push((where_.to_owned(), text.into()));
    }

    pub(crate) async fn add_client(&mut self, mut client: Client) {
        client.close().await;
        self.add("stderr", client.stderr());
        for line in client.received() {
            self.add("stdout", String::from_utf8_lossy(&line));
        }
    }

    /// The first line that contains one of `secrets`, and its source.
    pub(crate) fn leak(&self, secrets: &[String]) -> Option<(String, String)> {
        let holds = |line: &&str| secrets.iter().any(|secret| line.contains(secret.as_str()));
        self.0.iter().find_map(|(place, text)| {
            let line = text.lines().find(holds)?;
            Some((place.clone(), line.to_owned()))
        })
    }

    /// Panics if one of `secrets` is visible or in a file with wrong permissions.
    pub(crate) fn assert_free_of(&self, secrets: &[String], home: &Path) {
        assert!(secrets.len() >= 3, "found only {} secrets", secrets.len());
        assert!(!self.0.is_empty());
        for secret in secrets {
            assert!(secret.len() > 7, "`{secret}` may stand anywhere");
        }
        if let Some((place, line)) = self.leak(secrets) {
            panic!("a secret stands on {place}: {line}");
        }
        assert!(
            holders(home, secrets) > 0,
            "no file has a secret: is this the home?"
        );
    }
}

/// The number of files below `folder` that contain a secret. Panics if such a file or its folder is
/// not private.
pub(crate) fn holders(folder: &Path, secrets: &[String]) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found += holders(&path, secrets);
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        if secrets.iter().any(|secret| text.contains(secret.as_str())) {
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
            found += 1;
        }
    }
    found
}
