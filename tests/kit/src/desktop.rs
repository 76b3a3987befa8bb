//! A simulated desktop.
//!
//! The program that opens web pages passes their addresses to the test. The test can answer the pages
//! with a [`Browser`].

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::watch;

use super::oauth::{Browser, Page};
use super::{proxy, within};

/// Separates the pages opened before and after a call of [`Desktop::pages`].
const MARK: &str = "about:blank#";

/// The desktop, removed on drop.
pub struct Desktop {
    folder: TempDir,
    opened: Arc<watch::Sender<Vec<String>>>,
    taken: AtomicUsize,
    marks: AtomicUsize,
}

/// A simulated user of a [`Desktop`], who answers each page when it is opened.
pub struct Person(watch::Receiver<Vec<Page>>);

impl Desktop {
    /// Starts a desktop without a user.
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let pipe = folder.path().join("pages");
        make_pipe(&pipe);
        let opener = folder.path().join("xdg-open");
        // One write, so that two openers do not mix their lines. All arguments, so that a test notices more
        // than the address.
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" > '{}'\n", pipe.display());
        fs::write(&opener, script).unwrap();
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
        // Also open for writing, so that the pipe does not end with an opener.
        let mut options = pipe::OpenOptions::new();
        let pipe = options.read_write(true).open_receiver(&pipe).unwrap();
        let opened = Arc::new(watch::Sender::default());
        let sender = opened.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|opened: &mut Vec<String>| opened.push(line));
            }
        });
        Self {
            folder,
            opened,
            taken: AtomicUsize::new(0),
            marks: AtomicUsize::new(0),
        }
    }

    /// Lets `browser` open every page from now on.
    pub fn used_by(&self, browser: Browser) -> Person {
        let (ended, pages) = watch::channel(Vec::new());
        let mut opened = self.opened.subscribe();
        let mut next = opened.borrow().len();
        tokio::spawn(async move {
            while opened.wait_for(|it| it.len() > next).await.is_ok() {
                let url = opened.borrow()[next].clone();
                next += 1;
                if !url.starts_with(MARK) {
                    let page = browser.open(&url).await;
                    ended.send_modify(|pages: &mut Vec<Page>| pages.push(page));
                }
            }
        });
        Person(pages)
    }

    /// Waits for the next page that was not returned before.
    pub async fn page(&self) -> String {
        let mut opened = self.opened.subscribe();
        loop {
            let index = self.taken.fetch_add(1, Ordering::Relaxed);
            let known = opened.wait_for(|opened| opened.len() > index);
            let url = within("a page to be opened", known).await.unwrap()[index].clone();
            if !url.starts_with(MARK) {
                return url;
            }
        }
    }

    /// Returns every page opened so far.
    pub async fn pages(&self) -> Vec<String> {
        // Openers write a page before they exit, so all earlier pages precede the mark.
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{MARK}{mark}");
        let mut opener = tokio::process::Command::new(self.folder.path().join("xdg-open"));
        let ran = within("the opener", opener.arg(&mark).status()).await;
        assert!(ran.unwrap().success());
        let mut opened = self.opened.subscribe();
        let known = opened.wait_for(|opened| opened.contains(&mark));
        let known = within("the mark", known).await.unwrap();
        let pages = known.iter().filter(|url| !url.starts_with(MARK));
        pages.cloned().collect()
    }
}

impl Person {
    /// Waits until `count` pages were answered. Returns the last page of each.
    pub async fn pages(&mut self, count: usize) -> Vec<Page> {
        let enough = self.0.wait_for(|pages| pages.len() >= count);
        let what = format!("{count} pages to be answered");
        within(&what, enough).await.unwrap().clone()
    }
}

impl proxy::Builder {
    /// Runs the proxy on this desktop.
    #[must_use]
    pub fn on(self, desktop: &Desktop) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        let folder = desktop.folder.path().display();
        self.env("PATH", format!("{folder}:{path}"))
            .env("DISPLAY", ":0")
    }
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
