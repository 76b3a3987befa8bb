//! The polling interval.

use super::*;

#[test]
fn the_server_sets_the_interval_and_errors_end_the_polling() {
    let refused = |error: &str| TokenError::Refused {
        error: error.to_owned(),
        description: None,
    };
    let trouble = || TokenError::Unreachable {
        server: String::new(),
        outcome: String::new(),
        retry_after: None,
    };
    let cases = [
        (5, refused("authorization_pending"), Some(5)),
        (5, refused("slow_down"), Some(10)),
        (60, refused("slow_down"), Some(65)),
        (5, trouble(), Some(10)),
        (40, trouble(), Some(60)),
        (5, refused("invalid_scope"), None),
        (5, TokenError::Denied, None),
        (5, TokenError::Expired, None),
        (5, TokenError::InvalidGrant { description: None }, None),
    ];
    for (interval, error, expected) in cases {
        let next = next_interval(Duration::from_secs(interval), &error);
        assert_eq!(
            next,
            expected.map(Duration::from_secs),
            "{interval} {error:?}"
        );
    }
}
