//! Which tools of an upstream pass. Globs are compiled here, once, and nowhere else.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The tools an upstream may offer and a client may call: included and not ignored.
///
/// The default lets every tool pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `None` when nothing was asked for by name, and everything is included.
    include: Option<GlobSet>,
    ignore: GlobSet,
}

impl Filter {
    /// Makes a filter; an empty `include` includes everything, `ignore` wins over `include`.
    pub(super) fn new(include: Globs, ignore: Globs) -> Self {
        Self {
            include: Some(include.0).filter(|globs| !globs.is_empty()),
            ignore: ignore.0,
        }
    }

    /// Whether the tool of this name (the upstream's own) may be listed and called.
    #[must_use]
    pub fn allows(&self, tool: &str) -> bool {
        self.include
            .as_ref()
            .is_none_or(|globs| globs.is_match(tool))
            && !self.ignore.is_match(tool)
    }
}

/// One list of globs, compiled.
#[derive(Debug, Default)]
pub(super) struct Globs(GlobSet);

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
        set.build().map(Self).map_err(wrong)
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
    fn a_glob_that_cannot_be_read_is_named() {
        let error = Globs::compile(&["[a".to_owned()]).unwrap_err();
        assert_eq!(
            error,
            "error parsing glob '[a': unclosed character class; missing ']'; correct the glob"
        );
    }
}
