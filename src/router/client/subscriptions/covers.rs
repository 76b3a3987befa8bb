//! The resources that an update applies to. Pure.

/// Returns `true` if the set has this URI or a parent of it. An update may be of a sub-resource of the
/// subscribed resource (MCP 2026-07-28, schema § ResourceUpdatedNotificationParams).
pub(crate) fn covers(uri: &str, has: impl Fn(&str) -> bool) -> bool {
    has(uri)
        || uri
            .match_indices(['/', '?', '#'])
            .any(|(at, _)| has(&uri[..at]) || has(&uri[..=at]))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_subscription_covers_parts_of_its_resource() {
        let subscribed = ["x://a/b", "x://d/", "y:c"];
        let has = |uri: &str| subscribed.contains(&uri);
        for uri in [
            "x://a/b",
            "x://a/b/c/d",
            "x://a/b?q",
            "x://a/b#f",
            "x://d/e",
            "y:c/1",
        ] {
            assert!(covers(uri, has), "{uri}");
        }
        for uri in ["x://a/bc", "x://a", "x://d", "y:cd", "", "/"] {
            assert!(!covers(uri, has), "{uri}");
        }
    }
}
