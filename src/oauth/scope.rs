//! Which scopes to ask for (MCP 2026-07-28 § Scope Selection Strategy, § Step-Up Authorization Flow).
//!
//! A scope is a text of names by spaces (RFC 6749 § 3.3); `None` means that the parameter is left out.

use std::collections::BTreeSet;

/// The scope that makes some servers issue a refresh token (OpenID Connect Core 1.0 § 11).
const OFFLINE_ACCESS: &str = "offline_access";

/// What may say something about the scopes to ask for, the most important first.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    /// The configuration's. An empty list means none.
    pub(super) configured: Option<&'a [String]>,
    /// What the challenge names.
    pub(super) challenged: Option<&'a str>,
    /// What the resource metadata names. An empty list means none.
    pub(super) of_resource: Option<&'a [String]>,
    /// What the authorization server knows.
    pub(super) of_server: Option<&'a [String]>,
    /// What was granted before, which must not be lost when more is asked for.
    pub(super) granted: Option<&'a str>,
}

impl Sources<'_> {
    /// The scope to ask for.
    pub(super) fn select(&self) -> Option<String> {
        let list = |list: Option<&[String]>| list.map(|list| list.join(" "));
        let first = match self.configured {
            Some(configured) => Some(configured.join(" ")),
            None => {
                let challenged = self.challenged.map(str::to_owned);
                challenged.or_else(|| list(self.of_resource))
            }
        };
        let chosen = union([first.as_deref(), self.granted, self.step_up()])?;
        let is_known = |known: &[String]| known.iter().any(|scope| scope == OFFLINE_ACCESS);
        let offline = self.configured.is_none() && self.of_server.is_some_and(is_known);
        union([Some(chosen.as_str()), offline.then_some(OFFLINE_ACCESS)])
    }

    /// What the challenge names, if something was granted already and that is not enough.
    fn step_up(&self) -> Option<&str> {
        self.granted.and(self.challenged)
    }
}

/// All names of these scopes, each once, in the order in which they first appear; `None` when there is none.
pub(super) fn union<'a>(scopes: impl IntoIterator<Item = Option<&'a str>>) -> Option<String> {
    let mut seen = BTreeSet::new();
    let names = scopes.into_iter().flatten().flat_map(str::split_whitespace);
    let names: Vec<_> = names.filter(|name| seen.insert(*name)).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// Whether `granted` has every name of `needed`.
pub(super) fn covers(granted: &str, needed: &str) -> bool {
    let granted: BTreeSet<_> = granted.split_whitespace().collect();
    needed.split_whitespace().all(|name| granted.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select<'a>(change: impl FnOnce(&mut Sources<'a>)) -> Option<String> {
        let mut sources = Sources::default();
        change(&mut sources);
        sources.select()
    }

    #[test]
    fn the_configuration_goes_before_the_challenge_and_that_before_the_metadata() {
        let (configured, resource) = (["c".to_owned()], ["r".to_owned(), "s".to_owned()]);
        assert_eq!(select(|_| {}), None);
        assert_eq!(
            select(|s| s.of_resource = Some(&resource)).as_deref(),
            Some("r s")
        );
        let challenged = select(|s| {
            s.of_resource = Some(&resource);
            s.challenged = Some("x y x");
        });
        assert_eq!(challenged.as_deref(), Some("x y"));
        let set = select(|s| {
            s.of_resource = Some(&resource);
            s.challenged = Some("x");
            s.configured = Some(&configured);
        });
        assert_eq!(set.as_deref(), Some("c"));
    }

    #[test]
    fn an_empty_list_means_none() {
        assert_eq!(select(|s| s.of_resource = Some(&[])), None);
        let configured = select(|s| {
            s.configured = Some(&[]);
            s.challenged = Some("x");
        });
        assert_eq!(configured, None);
    }

    #[test]
    fn offline_access_is_added_where_it_is_known_and_something_is_asked_for() {
        let known = ["a".to_owned(), OFFLINE_ACCESS.to_owned()];
        assert_eq!(select(|s| s.of_server = Some(&known)), None);
        let added = select(|s| {
            s.of_server = Some(&known);
            s.challenged = Some("a");
        });
        assert_eq!(added.as_deref(), Some("a offline_access"));
        let configured = select(|s| {
            s.of_server = Some(&known);
            s.configured = Some(&known[..1]);
        });
        assert_eq!(configured.as_deref(), Some("a"));
    }

    #[test]
    fn a_step_up_asks_for_the_union() {
        let more = select(|s| {
            s.granted = Some("a b");
            s.challenged = Some("c a");
        });
        assert_eq!(more.as_deref(), Some("c a b"));
        let configured = select(|s| {
            s.configured = Some(&[]);
            s.granted = Some("a");
            s.challenged = Some("c");
        });
        assert_eq!(configured.as_deref(), Some("a c"));
    }

    #[test]
    fn a_scope_covers_another_when_it_has_all_its_names() {
        let cases = [
            ("a b", "b", true),
            ("a", "a b", false),
            ("", "", true),
            ("ab", "a", false),
        ];
        for (granted, needed, expected) in cases {
            assert_eq!(covers(granted, needed), expected, "{granted:?} {needed:?}");
        }
    }
}
