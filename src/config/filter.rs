//! Which tools, prompts and resources of an upstream pass. Globs are compiled here, once, and nowhere else.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// What of one kind an upstream may offer and a client may ask for: included and not ignored.
///
/// The default lets everything pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `None` when nothing was asked for by name, and everything is included.
    include: Option<GlobSet>,
    ignore: GlobSet,
    /// Both as written, by which two filters are compared.
    written: [Vec<String>; 2],
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Filter {
    /// Makes a filter; an empty `include` includes everything, `ignore` wins over `include`.
    pub(super) fn new(include: Globs, ignore: Globs) -> Self {
        Self {
            include: Some(include.set).filter(|globs| !globs.is_empty()),
            ignore: ignore.set,
            written: [include.written, ignore.written],
        }
    }

    /// Whether the tool or prompt of this name (the upstream's own) may be listed and asked for.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.allows_any_name(&[name])
    }

    /// The same for what goes by several names, as a resource does by its URI and its name: one
    /// of them must be included, and none ignored.
    #[must_use]
    pub fn allows_any_name(&self, names: &[&str]) -> bool {
        let is_in = |globs: &GlobSet| names.iter().any(|name| globs.is_match(name));
        self.include.as_ref().is_none_or(is_in) && !is_in(&self.ignore)
    }

    /// Whether everything passes, whatever its names.
    #[must_use]
    pub fn allows_all(&self) -> bool {
        self.include.is_none() && self.ignore.is_empty()
    }
}

/// One list of globs, compiled.
#[derive(Debug, Default)]
pub(super) struct Globs {
    set: GlobSet,
    written: Vec<String>,
}

impl Globs {
    /// Compiles globs of `*`, `?`, `[…]` and `{a,b}`, blind to the case of ASCII letters.
    ///
    /// # Errors
    /// The glob that cannot be read, with the reason and what to do.
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
    fn a_tool_passes_when_it_is_included_and_not_ignored() {
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
    fn what_has_two_names_is_included_by_one_and_ignored_by_one() {
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
    fn a_filter_without_globs_lets_everything_pass() {
        assert!(Filter::default().allows_all() && filter(&[], &[]).allows_all());
        assert!(!filter(&["*"], &[]).allows_all());
        assert!(!filter(&[], &["x"]).allows_all());
    }

    #[test]
    fn a_glob_that_cannot_be_read_is_named() {
        let error = Globs::compile(&["[a".to_owned()]).unwrap_err();
        assert_eq!(
            error,
            "error parsing glob '[a': unclosed character class; missing ']'; correct the glob"
        );
    }
}
