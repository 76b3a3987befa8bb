//! Filters of tools, prompts and resources. Globs are compiled here alone, once.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The filter for one kind of item: an item passes if it is included and not ignored.
///
/// The default passes everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `None` if everything is included.
    include: Option<GlobSet>,
    ignore: GlobSet,
    /// The globs as written, to compare filters.
    written: [Vec<String>; 2],
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Filter {
    /// Creates a filter. An empty `include` includes everything; `ignore` takes precedence over `include`.
    pub(super) fn new(include: Globs, ignore: Globs) -> Self {
        Self {
            include: Some(include.set).filter(|globs| !globs.is_empty()),
            ignore: ignore.set,
            written: [include.written, ignore.written],
        }
    }

    /// Whether a tool or prompt passes, by its name at the upstream.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.allows_any_name(&[name])
    }

    /// Whether an item with several names passes, such as a resource with a URI and a name. At least one name
    /// must be included, and none may be ignored.
    #[must_use]
    pub fn allows_any_name(&self, names: &[&str]) -> bool {
        let is_in = |globs: &GlobSet| names.iter().any(|name| globs.is_match(name));
        self.include.as_ref().is_none_or(is_in) && !is_in(&self.ignore)
    }

    /// Whether everything passes.
    #[must_use]
    pub fn allows_all(&self) -> bool {
        self.include.is_none() && self.ignore.is_empty()
    }
}

/// A compiled list of globs.
#[derive(Debug, Default)]
pub(super) struct Globs {
    set: GlobSet,
    written: Vec<String>,
}

impl Globs {
    /// Compiles globs with `*`, `?`, `[…]` and `{a,b}`, ignoring the case of ASCII letters.
    ///
    /// # Errors
    /// The invalid glob with the reason and the remedy.
    pub(super) fn compile(globs: &[String]) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        let wrong = |error| format!("{error}; correct the glob");
        for glob in globs {
            let glob = GlobBuilder::new(glob).case_insensitive(true).build();
            set.add(glob.map_err(wrong)?);
        }
        Ok(Self {
            set: set.build().map_err(wrong)?,
            written: globs.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], ignore: &[&str]) -> Filter {
        let owned = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let compile = |globs| Globs::compile(&owned(globs)).unwrap();
        Filter::new(compile(include), compile(ignore))
    }

    #[test]
    fn a_tool_passes_if_it_is_included_and_not_ignored() {
        let cases: &[(&[&str], &[&str], &str, bool)] = &[
            (&[], &[], "anything", true),
            (&["get_*"], &[], "get_issue", true),
            (&["get_*"], &[], "delete_issue", false),
            (&["GET_*"], &[], "get_Issue", true),
            (&["get_*"], &["*_SECRET"], "get_secret", false),
            (&[], &["delete_*"], "delete_issue", false),
            (&[], &["delete_*"], "undelete_issue", true),
            (&["*"], &["*"], "anything", false),
            (&["issue?"], &[], "issues", true),
            (&["issue?"], &[], "issue", false),
            (&["[a-c]*"], &[], "Beta", true),
            (&["[!a-c]*"], &[], "beta", false),
            (&["{list,get}_*"], &[], "list_users", true),
            (&["{list,get}_*"], &[], "set_users", false),
            (&["a*"], &[], "a/b.c", true),
        ];
        for (include, ignore, tool, expected) in cases {
            assert_eq!(
                filter(include, ignore).allows(tool),
                *expected,
                "{tool} by {include:?} and not {ignore:?}"
            );
        }
    }

    #[test]
    fn an_item_with_two_names_is_included_or_ignored_by_either() {
        let cases: &[(&[&str], &[&str], bool)] = &[
            (&[], &[], true),
            (&["FILE://*"], &[], true),
            (&["read*"], &[], true),
            (&["other", "x://*"], &[], false),
            (&[], &["file://*"], false),
            (&[], &["README"], false),
            (&[], &["other", "x://*"], true),
            (&["file://*"], &["readme"], false),
            (&["readme"], &["file://*"], false),
        ];
        for (include, ignore, expected) in cases {
            let names = ["file:///a/b.md", "readme"];
            assert_eq!(
                filter(include, ignore).allows_any_name(&names),
                *expected,
                "by {include:?} and not {ignore:?}"
            );
        }
    }

    #[test]
    fn a_filter_without_globs_passes_everything() {
        assert!(Filter::default().allows_all() && filter(&[], &[]).allows_all());
        assert!(!filter(&["*"], &[]).allows_all());
        assert!(!filter(&[], &["x"]).allows_all());
    }

    #[test]
    fn an_invalid_glob_is_named_in_the_error() {
        let error = Globs::compile(&["[a".to_owned()]).unwrap_err();
        assert_eq!(
            error,
            "error parsing glob '[a': unclosed character class; missing ']'; correct the glob"
        );
    }
}
