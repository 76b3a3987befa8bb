//! What is said at the end, and whether it is well.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::Arc;

use crate::calls::{Answer, Book, Call};
use crate::faults::Injected;
use crate::memory::Peaks;
use crate::servers::Site;

/// How much more memory the proxy may use late than early, in KiB.
const ALLOWED_MEMORY: u64 = 4 << 10;

/// How many more descriptors it may have open late than early: calls that wait have some.
const ALLOWED_DESCRIPTORS: u64 = 64;

/// How many bytes it may write to stderr: so many whatever happens, and so many a fault.
const ALLOWED_LOG: (u64, u64) = (16 << 10, 2 << 10);

/// How many wrong calls are shown.
const SHOWN: usize = 10;

/// All that there is to judge by.
pub(crate) struct Verdict<'a> {
    pub(crate) book: &'a Book,
    pub(crate) sites: &'a [Arc<Site>],
    pub(crate) seconds: u64,
    pub(crate) injected: Injected,
    pub(crate) strange: usize,
    pub(crate) unanswered: usize,
    pub(crate) usage: Peaks,
    pub(crate) back: Vec<String>,
    pub(crate) stderr: u64,
    pub(crate) status: ExitStatus,
}

/// What is wrong with a call, if something is.
fn wrong(call: &Call) -> Option<&'static str> {
    let ran = call.ran;
    Some(match (&call.answers[..], call.cancelled) {
        (_, true) if ran > 1 && !call.idempotent => "cancelled, and ran twice",
        ([], false) => "not answered",
        ([_, _, ..], _) => "answered twice",
        ([Answer::Mistaken], _) => "answered with another call's result",
        ([Answer::Result], _) if ran == 0 => "answered, and did not run",
        ([_], _) if ran > 1 && !call.idempotent => "ran twice",
        ([Answer::Error(_, outcome)], _) if outcome == "not run" && ran > 0 => {
            "called `not run`, and ran"
        }
        _ if call.stray_progress > 0 => "progress after its answer",
        _ => return None,
    })
}

impl Verdict<'_> {
    /// Prints everything and tells how many of the checks failed.
    pub(crate) fn print(&self) -> usize {
        self.summary();
        self.failed_calls() + self.failed_bounds()
    }

    fn summary(&self) {
        let (mut calls, mut cancelled, mut progress, mut again) = (0_u64, 0_u64, 0_u64, 0_u64);
        let mut kinds = BTreeMap::<(usize, String), usize>::new();
        self.book.each(|_, call| {
            calls += 1;
            cancelled += u64::from(call.cancelled);
            progress += u64::from(call.progress);
            again += u64::from(call.ran > 1);
            for answer in &call.answers {
                let kind = match answer {
                    Answer::Result => "result".to_owned(),
                    Answer::Error(code, outcome) => format!("error {code}, {outcome}"),
                    Answer::Foreign(code) => format!("error {code} of the upstream"),
                    Answer::Mistaken => "another call's result".to_owned(),
                };
                *kinds.entry((call.site, kind)).or_default() += 1;
            }
        });
        let rate = calls / self.seconds.max(1);
        println!(
            "\n{calls} calls, {rate}/s; {cancelled} cancelled, {again} idempotent ones ran again"
        );
        println!("{progress} notifications of progress");
        println!("\nfaults");
        for (fault, count) in &self.injected {
            println!("  {count:>6}  {fault}");
        }
        println!("\nanswers");
        for ((site, kind), count) in &kinds {
            println!("  {count:>6}  {:<8} {kind}", self.sites[*site].kind.name());
        }
        println!("\nback after the last fault: {}", self.back.join(", "));
    }

    fn failed_calls(&self) -> usize {
        let mut wrongs = BTreeMap::<&str, Vec<String>>::new();
        self.book.each(|number, call| {
            if let Some(wrong) = wrong(call) {
                let site = self.sites[call.site].kind.name();
                let shown = format!("{number} of `{site}`: {call:?}");
                wrongs.entry(wrong).or_default().push(shown);
            }
        });
        println!("\nchecks");
        for (what, calls) in &wrongs {
            println!("  FAILED  {} calls: {what}", calls.len());
            for call in calls.iter().take(SHOWN) {
                println!("            {call}");
            }
        }
        if wrongs.is_empty() {
            println!("  ok      every call was answered once, truthfully, and no call ran twice");
        }
        wrongs.len()
    }

    fn failed_bounds(&self) -> usize {
        let struck = self.injected.values().sum::<usize>() as u64;
        let (early, late) = (self.usage.early, self.usage.late);
        let bounds = [
            ("calls open at the end", self.unanswered as u64, 0),
            ("lines that say nothing to anybody", self.strange as u64, 0),
            ("KiB of memory", late.rss, early.rss + ALLOWED_MEMORY),
            (
                "descriptors",
                late.descriptors,
                early.descriptors + ALLOWED_DESCRIPTORS,
            ),
            (
                "bytes of log",
                self.stderr,
                ALLOWED_LOG.0 + struck * ALLOWED_LOG.1,
            ),
            (
                "as exit status",
                self.status
                    .code()
                    .map_or(256, |code| code.unsigned_abs().into()),
                0,
            ),
        ];
        let mut failed = 0;
        for (what, value, allowed) in bounds {
            let is_over = value > allowed;
            failed += usize::from(is_over);
            let word = if is_over { "FAILED" } else { "ok    " };
            println!("  {word}  {value} {what}, {allowed} allowed");
        }
        println!(
            "          early: {} KiB, {} descriptors",
            early.rss, early.descriptors
        );
        failed
    }
}
