//! Mutation of inputs: bytes are changed, removed or repeated, and parts of two inputs are joined.

use fastrand::Rng;

use crate::corpus::Corpus;

/// The maximum length of a mutated input in bytes: longer inputs are slow and rarely find more.
const MOST: usize = 4096;

/// The maximum number of changes per input.
const MOST_CHANGES: usize = 6;

/// Separators of the parsed formats, and bytes next to them.
const BYTES: &[u8] =
    b"\0\t\n\r \"#$%&'()*+,-./0129:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xbb\xbf\xc3\xed\xef\xff";

/// Words with a meaning for one of the targets.
const WORDS: [&str; 24] = [
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "-0",
    "1e400",
    "\\ud800",
    "\\u0000",
    "\\\"",
    "\"id\":1,",
    "\"method\":\"m\"",
    "\"params\":{",
    "\"result\":",
    "\"error\":{\"code\":1}",
    "data:",
    "event:",
    "id:",
    "retry:1\n",
    "\r\n\r\n",
    "\u{feff}",
    "Bearer scope=",
    "${SECRET}",
    "https://[::1]/",
];

/// Mutates one or two inputs of the corpus.
pub(crate) fn mutate(corpus: &Corpus, rng: &mut Rng) -> Vec<u8> {
    let any = |rng: &mut Rng| &corpus.files[rng.usize(..corpus.files.len())].bytes;
    let mut input = any(rng).clone();
    for _ in 0..=rng.usize(..MOST_CHANGES) {
        let at = rng.usize(..=input.len());
        let end = (at + rng.usize(..=8)).min(input.len());
        let piece = match rng.u8(..7) {
            0 => vec![BYTES[rng.usize(..BYTES.len())]],
            1 => vec![rng.u8(..)],
            2 => WORDS[rng.usize(..WORDS.len())].into(),
            3 => some(&input, rng).repeat(rng.usize(1..4)),
            4 => some(any(rng), rng),
            5 => input
                .get(at)
                .map(|byte| byte ^ 1 << rng.u8(..8))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        let replaced = if rng.bool() { at..end } else { at..at };
        input.splice(replaced, piece);
    }
    input.truncate(MOST);
    input
}

fn some(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let start = rng.usize(..=input.len());
    let length = rng.usize(..=(input.len() - start).min(64));
    input[start..start + length].to_vec()
}
