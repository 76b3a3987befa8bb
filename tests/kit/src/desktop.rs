//! A machine with a person before it: the program that opens pages hands their addresses to the
//! test, which may put a [`Browser`] there to answer them.

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

/// What stands between the pages opened before and after [`Desktop::pages`] was asked.
const MARK: &str = "about:blank#";

/// The desktop; it is gone when dropped.
pub struct Desktop {
    folder: TempDir,
    opened: Arc<watch::Sender<Vec<String>>>,
    taken: AtomicUsize,
    marks: AtomicUsize,
}

/// The person before a [`Desktop`], who answers each page as it is opened.
pub struct Person(watch::Receiver<Vec<Page>>);

impl Desktop {
    /// A desktop on which pages are opened and nobody looks.
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let pipe = folder.path().join("pages");
        make_pipe(&pipe);
        let opener = folder.path().join("xdg-open");
        // One write, so that two openers do not mix their lines; and every argument, so that a test
        // sees when there is more than the address.
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" > '{}'\n", pipe.display());
        fs::write(&opener, script).unwrap();
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
        // Open for writing as well, so that it does not end when an opener does.
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

    /// Puts `browser` before the screen from now on: it opens every page.
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

    /// The next page that is opened and was not given before.
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

    /// Every page opened so far, by whomever.
    pub async fn pages(&self) -> Vec<String> {
        // Who opened a page before wrote it before: the opener is waited for.
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
    /// Waits until `count` pages were answered, and gives those on which the person ended.
    pub async fn pages(&mut self, count: usize) -> Vec<Page> {
        let enough = self.0.wait_for(|pages| pages.len() >= count);
        let what = format!("{count} pages to be answered");
        within(&what, enough).await.unwrap().clone()
    }
}

impl proxy::Builder {
    /// Runs on this desktop.
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
