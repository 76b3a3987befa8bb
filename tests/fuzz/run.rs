//! Runs a target, and prints its input if it panics.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::corpus::Corpus;
use crate::mutation::mutate;
use crate::targets::Target;

/// The default number of mutations per corpus: one or two seconds.
const INPUTS: u64 = 3000;

/// The default seed, which makes runs reproducible.
const SEED: u64 = 20_260_728;

/// The length of a run.
pub(crate) struct Length {
    seed: u64,
    /// The duration of the run; `None` means [`INPUTS`] mutations.
    time: Option<Duration>,
}

impl Length {
    /// Reads `FUZZ_SECONDS` and `FUZZ_SEED`.
    pub(crate) fn from_environment() -> Self {
        let number = |name| {
            let text = env::var(name).ok()?;
            Some(
                text.parse()
                    .unwrap_or_else(|_| panic!("{name} is no number")),
            )
        };
        let time = number("FUZZ_SECONDS").map(Duration::from_secs);
        let fresh = || {
            if time.is_some() {
                fastrand::u64(..)
            } else {
                SEED
            }
        };
        Self {
            seed: number("FUZZ_SEED").unwrap_or_else(fresh),
            time,
        }
    }
}

/// Runs a target over its corpus.
pub(crate) fn run_corpus(corpus: &Corpus, target: Target) {
    for file in &corpus.files {
        run_reporting_input(target, &file.bytes, || format!("at `{}`", file.name));
    }
}

/// Runs a target over mutations of its corpus.
pub(crate) fn run_mutations(corpus: &Corpus, target: Target, length: &Length) {
    let &Length { seed, time } = length;
    let mut rng = Rng::with_seed(seed);
    let (start, mut tried) = (Instant::now(), 0);
    while time.map_or(tried < INPUTS, |time| start.elapsed() < time) {
        tried += 1;
        let input = mutate(corpus, &mut rng);
        run_reporting_input(target, &input, || {
            let path =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-failed", corpus.target));
            let written = fs::write(&path, &input);
            let place =
                written.map_or_else(|error| error.to_string(), |()| path.display().to_string());
            format!("with FUZZ_SEED={seed}, input {tried}, kept as {place}")
        });
    }
    eprintln!("{}: {tried} inputs in {:?}", corpus.target, start.elapsed());
}

fn run_reporting_input(target: Target, input: &[u8], describe_input: impl Fn() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!("{}:\n{}", describe_input(), input.escape_ascii());
        resume_unwind(panic);
    }
}
