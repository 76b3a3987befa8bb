//! The fuzz targets. A target is a function that panics if a property fails for some bytes. This
//! test and the fuzzer in `fuzz/` run the same targets.

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

/// A function that accepts any bytes and panics if a property fails.
pub(crate) type Target = fn(&[u8]);

/// All targets by the names of their corpora.
pub(crate) const TARGETS: [(&str, Target); 5] = [
    ("challenge", challenge),
    ("configuration", configuration),
    ("envelope", envelope),
    ("event_stream", event_stream),
    ("splice", splice),
];

/// Splits the first line, which controls the test, from the rest of the input.
fn split_control(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}
