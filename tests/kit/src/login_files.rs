//! Reads and changes the files of one upstream's login.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// An hour, in seconds: older than every limit for fresh files.
const HOUR: u64 = 3600;

/// The login files of an upstream in a home directory (see [`proxy::home`](super::proxy::home)).
pub struct LoginFiles(PathBuf);

impl LoginFiles {
    /// Returns the login files of `upstream` below `home`, which need not exist.
    pub fn new(home: &Path, upstream: &str) -> Self {
        Self(home.join(".mcp-manifold/oauth").join(upstream))
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the record in `file`, or `null`.
    pub fn read(&self, file: &str) -> Value {
        match fs::read(self.0.join(file)) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
            Err(_) => Value::Null,
        }
    }

    /// Changes the record in `file` atomically for readers.
    pub fn change(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let mut record = self.read(file);
        change(&mut record);
        let new = self.0.join("changed");
        fs::write(&new, record.to_string()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::rename(new, self.0.join(file)).unwrap();
    }

    /// Returns the member `name` of the tokens.
    pub fn token(&self, name: &str) -> String {
        let tokens = self.read("tokens.json");
        tokens[name].as_str().unwrap_or_default().to_owned()
    }

    /// Makes the login an hour older, without changing when its token expires.
    pub fn age(&self) {
        self.change("tokens.json", |tokens| earlier(&mut tokens["issued_at"]));
        self.change("login.json", |logins| {
            earlier(&mut logins["opened_at"]);
            earlier(&mut logins["signed_in_at"]);
        });
    }

    /// Makes the login an hour older, so that its token has expired.
    pub fn age_beyond_the_end(&self) {
        self.age();
        self.change("tokens.json", |tokens| tokens["expires_at"] = json!(1));
    }

    /// Makes the pending login `seconds` older.
    pub fn age_pending_login(&self, seconds: u64) {
        self.change("login.json", |logins| {
            for time in ["/opened_at", "/pending/begun_at"] {
                let time = logins.pointer_mut(time).unwrap();
                *time = json!(time.as_u64().unwrap() - seconds);
            }
        });
    }
}

fn earlier(time: &mut Value) {
    if let Some(seconds) = time.as_u64() {
        *time = json!(seconds - HOUR);
    }
}
