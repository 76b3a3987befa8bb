//! Which resources an update is of. Pure.

/// Whether the set has this URI, or one that it is a part of: an update may be of a sub-resource of
/// the one that was subscribed to (MCP 2026-07-28, schema § ResourceUpdatedNotificationParams).
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
    fn a_part_of_a_resource_is_known_by_where_its_uri_is_cut() {
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
