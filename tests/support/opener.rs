//! The browser of a machine, as far as programs see it: an `xdg-open` that only says what it got.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use tempfile::TempDir;
use tokio::net::unix::pipe;

use super::proxy::Builder;
use super::within;

/// How many arguments there are, then each on a line of its own; written at once, as one opener
/// may follow another.
const SCRIPT: &str = "#!/bin/sh
printf '%s\\n' \"$#\" \"$@\" > \"${0%/*}/says\"
";

/// A fake opener; it ends when dropped.
pub struct Opener {
    folder: TempDir,
    pipe: pipe::Receiver,
    read: Mutex<Vec<u8>>,
}

impl Opener {
    /// One that nobody has started yet.
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let script = folder.path().join("xdg-open");
        fs::write(&script, SCRIPT).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let says = folder.path().join("says");
        let made = tokio::process::Command::new("mkfifo").arg(&says).status();
        assert!(made.await.unwrap().success());
        // Open for writing as well, so that it does not end when an opener does.
        let mut options = pipe::OpenOptions::new();
        let pipe = options.read_write(true).open_receiver(&says).unwrap();
        Self {
            folder,
            pipe,
            read: Mutex::default(),
        }
    }

    /// Gives a proxy a display, and this in place of all programs.
    #[must_use]
    pub fn for_proxy(&self, proxy: Builder) -> Builder {
        let path = self.folder.path().to_str().unwrap();
        proxy.env("DISPLAY", ":0").env("PATH", path)
    }

    /// Waits until it was started `count` times, and gives the arguments of each start so far.
    pub async fn opened(&self, count: usize) -> Vec<Vec<String>> {
        loop {
            let starts = self.so_far();
            if starts.len() >= count {
                return starts;
            }
            within("a page to be opened", self.pipe.readable())
                .await
                .unwrap();
        }
    }

    /// The arguments of each start so far.
    pub fn so_far(&self) -> Vec<Vec<String>> {
        let mut read = self.read.lock().unwrap();
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = self.pipe.try_read(&mut bytes) {
            read.extend(&bytes[..count]);
        }
        let text = String::from_utf8_lossy(&read).into_owned();
        let mut lines = text.split_inclusive('\n');
        let mut starts = Vec::new();
        while let Some(count) = lines.next().and_then(|line| line.trim_end().parse().ok()) {
            let arguments = lines.by_ref().take(count);
            let arguments: Vec<_> = arguments.map(|line| line.trim_end().to_owned()).collect();
            if arguments.len() == count {
                starts.push(arguments);
            }
        }
        starts
    }
}
