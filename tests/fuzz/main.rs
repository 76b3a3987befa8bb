//! Runs the fuzz targets over their corpus and over a bounded number of mutations.
//!
//! `FUZZ_SECONDS=60 cargo test --test fuzz` runs each target for 60 seconds with a random seed.
//! `FUZZ_SEED` sets the seed that a failure printed. `fuzz/` has the same targets for libFuzzer.

// A panic here is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod corpus;
mod mutation;
mod run;
mod targets;

use corpus::Corpus;
use run::Length;

fn fuzz(name: &str) {
    let (_, target) = targets::TARGETS
        .into_iter()
        .find(|it| it.0 == name)
        .unwrap();
    let corpus = Corpus::of(name);
    run::run_corpus(&corpus, target);
    run::run_mutations(&corpus, target, &Length::from_environment());
}

#[test]
fn challenge_values_are_those_of_the_headers() {
    fuzz("challenge");
}

#[test]
fn configuration_is_valid_or_its_problem_has_a_place() {
    fuzz("configuration");
}

#[test]
fn envelopes_are_parsed_exactly_or_rejected_for_a_reason() {
    fuzz("envelope");
}

#[test]
fn event_streams_parse_the_same_in_any_chunks() {
    fuzz("event_stream");
}

#[test]
fn splices_change_nothing_else() {
    fuzz("splice");
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let targets: Vec<_> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(corpus::folders(), targets);
}

#[test]
fn corpus_stays_small() {
    let files = targets::TARGETS
        .iter()
        .flat_map(|it| Corpus::of(it.0).files);
    let bytes: usize = files.map(|file| file.bytes.len()).sum();
    assert!(bytes <= corpus::MOST_BYTES, "{bytes} bytes");
}
