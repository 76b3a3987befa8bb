//! File names derived from configured names.

use sha2::{Digest, Sha256};

/// The number of characters of a name in a file name, which must stay below 255 bytes.
const MAX_NAME: usize = 64;

/// A file name of `name`, with unsafe characters replaced, and a hash of `of` to make it unique.
pub(crate) fn hashed_file_name(name: &str, of: &str) -> String {
    let safe = |c: char| if is_safe(c) { c } else { '-' };
    let name: String = name.chars().take(MAX_NAME).map(safe).collect();
    let hash: String = Sha256::digest(of)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{hash}", name.trim_start_matches('.'))
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// Whether a name is a valid file name on every system.
///
/// Such a name has no separator and no dot at either end. It is no device of Windows (`con`,
/// `com1.txt`).
pub(crate) fn is_portable_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.to_ascii_lowercase();
    let device = match stem.strip_prefix("com").or(stem.strip_prefix("lpt")) {
        Some(number) => number.len() == 1 && number.as_bytes()[0].is_ascii_digit(),
        None => ["con", "prn", "aux", "nul"].contains(&stem.as_str()),
    };
    name.chars().all(is_safe) && !name.starts_with('.') && !name.ends_with('.') && !device
}
