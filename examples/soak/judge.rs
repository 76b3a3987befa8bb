//! Prints the results, and checks them.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::Arc;

use crate::calls::{Answer, Call, CallLedger};
use crate::faults::Injected;
use crate::memory::Peaks;
use crate::servers::Site;

/// How much more memory the proxy may use at the end than at the beginning, in KiB.
const ALLOWED_MEMORY: u64 = 4 << 10;

/// How many more descriptors may be open at the end than at the beginning: waiting calls have some.
const ALLOWED_DESCRIPTORS: u64 = 64;

/// How many bytes the proxy may write to stderr: a fixed number, plus a number per fault.
const ALLOWED_LOG: (u64, u64) = (16 << 10, 2 << 10);

/// How many failed calls are printed.
const SHOWN: usize = 10;

/// The results of a run.
pub(crate) struct Verdict<'a> {
    pub(crate) ledger: &'a CallLedger,
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

/// Returns what is wrong with a call, if anything.
fn wrong(call: &Call) -> Option<&'static str> {
    let ran = call.ran;
    Some(match (&call.answers[..], call.cancelled) {
        (_, true) if ran > 1 && !call.idempotent => "cancelled, and ran twice",
        ([], false) => "not answered",
        ([_, _, ..], _) => "answered twice",
        ([Answer::ResultOfOtherCall], _) => "answered with another call's result",
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
    /// Prints the results, and returns how many checks failed.
    pub(crate) fn print(&self) -> usize {
        self.summary();
        self.failed_calls() + self.failed_bounds()
    }

    fn summary(&self) {
        let (mut calls, mut cancelled, mut progress, mut again) = (0_u64, 0_u64, 0_u64, 0_u64);
        let mut kinds = BTreeMap::<(usize, String), usize>::new();
        self.ledger.for_each(|_, call| {
            calls += 1;
            cancelled += u64::from(call.cancelled);
            progress += u64::from(call.progress);
            again += u64::from(call.ran > 1);
            for answer in &call.answers {
                let kind = match answer {
                    Answer::Result => "result".to_owned(),
                    Answer::Error(code, outcome) => format!("error {code}, {outcome}"),
                    Answer::UpstreamError(code) => format!("error {code} of the upstream"),
                    Answer::ResultOfOtherCall => "another call's result".to_owned(),
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
        self.ledger.for_each(|number, call| {
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
