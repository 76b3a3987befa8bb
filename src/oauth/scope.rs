//! Selects the scopes to request (MCP 2026-07-28 § Scope Selection Strategy, § Step-Up
//! Authorization Flow).
//!
//! A scope is a text of names separated by spaces (RFC 6749 § 3.3). `None` omits the parameter.

use std::collections::BTreeSet;

/// The scope for which some servers issue a refresh token (OpenID Connect Core 1.0 § 11).
const OFFLINE_ACCESS: &str = "offline_access";

/// The sources of scopes to request, by precedence.
#[derive(Debug, Default)]
pub(super) struct ScopeSources<'a> {
    /// From the configuration. An empty list means none.
    pub(super) configured: Option<&'a [String]>,
    /// From the challenge.
    pub(super) challenged: Option<&'a str>,
    /// From the resource metadata. An empty list means none.
    pub(super) resource_metadata: Option<&'a [String]>,
    /// The scopes that the authorization server supports.
    pub(super) server_metadata: Option<&'a [String]>,
    /// The scopes granted before: a step-up must keep them.
    pub(super) granted: Option<&'a str>,
}

impl ScopeSources<'_> {
    /// Returns the scope to request.
    pub(super) fn select(&self) -> Option<String> {
        let list = |list: Option<&[String]>| list.map(|list| list.join(" "));
        let first = match self.configured {
            Some(configured) => Some(configured.join(" ")),
            None => {
                let challenged = self.challenged.map(str::to_owned);
                challenged.or_else(|| list(self.resource_metadata))
            }
        };
        let chosen = union([first.as_deref(), self.granted, self.step_up()])?;
        let is_known = |known: &[String]| known.iter().any(|scope| scope == OFFLINE_ACCESS);
        let offline = self.configured.is_none() && self.server_metadata.is_some_and(is_known);
        union([Some(chosen.as_str()), offline.then_some(OFFLINE_ACCESS)])
    }

    /// Returns the scope of the challenge if the granted scope was not enough.
    fn step_up(&self) -> Option<&str> {
        self.granted.and(self.challenged)
    }
}

/// Returns all names of the scopes, each once, in order of appearance; `None` if there are no
/// names.
pub(super) fn union<'a>(scopes: impl IntoIterator<Item = Option<&'a str>>) -> Option<String> {
    let mut seen = BTreeSet::new();
    let names = scopes.into_iter().flatten().flat_map(str::split_whitespace);
    let names: Vec<_> = names.filter(|name| seen.insert(*name)).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// Returns `true` if `granted` has every name of `needed`.
pub(super) fn covers(granted: &str, needed: &str) -> bool {
    let granted: BTreeSet<_> = granted.split_whitespace().collect();
    needed.split_whitespace().all(|name| granted.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select<'a>(change: impl FnOnce(&mut ScopeSources<'a>)) -> Option<String> {
        let mut sources = ScopeSources::default();
        change(&mut sources);
        sources.select()
    }

    #[test]
    fn scopes_come_from_configuration_then_challenge_then_metadata() {
        let (configured, resource) = (["c".to_owned()], ["r".to_owned(), "s".to_owned()]);
        assert_eq!(select(|_| {}), None);
        assert_eq!(
            select(|s| s.resource_metadata = Some(&resource)).as_deref(),
            Some("r s")
        );
        let challenged = select(|s| {
            s.resource_metadata = Some(&resource);
            s.challenged = Some("x y x");
        });
        assert_eq!(challenged.as_deref(), Some("x y"));
        let set = select(|s| {
            s.resource_metadata = Some(&resource);
            s.challenged = Some("x");
            s.configured = Some(&configured);
        });
        assert_eq!(set.as_deref(), Some("c"));
    }

    #[test]
    fn an_empty_list_means_none() {
        assert_eq!(select(|s| s.resource_metadata = Some(&[])), None);
        let configured = select(|s| {
            s.configured = Some(&[]);
            s.challenged = Some("x");
        });
        assert_eq!(configured, None);
    }

    #[test]
    fn offline_access_is_added_to_other_scopes_where_supported() {
        let known = ["a".to_owned(), OFFLINE_ACCESS.to_owned()];
        assert_eq!(select(|s| s.server_metadata = Some(&known)), None);
        let added = select(|s| {
            s.server_metadata = Some(&known);
            s.challenged = Some("a");
        });
        assert_eq!(added.as_deref(), Some("a offline_access"));
        let configured = select(|s| {
            s.server_metadata = Some(&known);
            s.configured = Some(&known[..1]);
        });
        assert_eq!(configured.as_deref(), Some("a"));
    }

    #[test]
    fn a_step_up_requests_the_union() {
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
