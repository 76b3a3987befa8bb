//! Random ids that an attacker cannot guess.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Returns 128 random bits as 22 characters of base64url.
///
/// # Panics
/// If the operating system provides no random bytes, since nothing secure works without them.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system provides random bytes");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_url_safe_and_unique() {
        let (id, other) = (random_id(), random_id());
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(id.len() == 22 && id.chars().all(plain), "{id}");
        assert_ne!(id, other);
    }
}
