//! Random text that an attacker cannot guess.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Returns 128 random bits as 22 characters of base64url.
///
/// # Panics
/// If the operating system has no random bytes. Nothing that is secure works then.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_fit_for_a_url_and_never_the_same() {
        let (id, other) = (random_id(), random_id());
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(id.len() == 22 && id.chars().all(plain), "{id}");
        assert_ne!(id, other);
    }
}
