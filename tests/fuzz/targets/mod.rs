//! What is fuzzed, and what must hold for any bytes. A target is one plain function that panics when
//! something does not hold; the test beside it and the fuzzer in `fuzz/` run the same ones.

mod challenge;
mod configuration;
mod envelope;
mod event_stream;
mod oracle;
mod splice;

pub(crate) use challenge::challenge;
pub(crate) use configuration::configuration;
pub(crate) use envelope::envelope;
pub(crate) use event_stream::event_stream;
pub(crate) use splice::splice;

/// Something that takes any bytes, and panics when what it promises does not hold.
pub(crate) type Target = fn(&[u8]);

/// Every target, under the name of its corpus.
pub(crate) const TARGETS: [(&str, Target); 5] = [
    ("challenge", challenge),
    ("configuration", configuration),
    ("envelope", envelope),
    ("event_stream", event_stream),
    ("splice", splice),
];

/// The first line of an input, which says what is done with the rest; without one there is no rest.
fn split_control(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}
