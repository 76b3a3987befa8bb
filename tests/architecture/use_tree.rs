//! The tree of a `use`, with its groups, aliases and globs.

use crate::code::{Token, is_at};

/// A path, and the name under which it is imported.
type Leaf<'a> = (Vec<&'a str>, &'a str);

/// The leaves of the tree whose first segment stands at `start`, and the place of its semicolon.
pub(crate) fn leaves<'a>(tokens: &[Token<'a>], start: usize) -> (Vec<Leaf<'a>>, usize) {
    let mut tree = UseTree {
        tokens,
        at: start,
        found: Vec::new(),
    };
    tree.read(&[]);
    (tree.found, tree.at)
}

struct UseTree<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    found: Vec<Leaf<'a>>,
}

impl<'a> UseTree<'_, 'a> {
    fn take(&mut self) -> &'a str {
        self.at += 1;
        self.tokens[self.at - 1].text
    }

    fn is_at(&self, text: &str) -> bool {
        is_at(self.tokens, self.at, &[text])
    }

    /// Reads one branch that continues `prefix`, and stops before the token that ends it.
    fn read(&mut self, prefix: &[&'a str]) {
        let mut path = prefix.to_vec();
        while !matches!(self.tokens[self.at].text, ";" | "," | "}") {
            match self.take() {
                "::" => {}
                "{" => {
                    while !self.is_at("}") {
                        self.read(&path);
                        self.at += usize::from(self.is_at(","));
                    }
                    self.at += 1;
                    return;
                }
                "as" => {
                    let alias = self.take();
                    self.found.push((path, alias));
                    return;
                }
                // `self` at the end of a group is the group's own path.
                "self" if !path.is_empty() => {}
                segment => path.push(segment),
            }
        }
        let name = path.last().copied().unwrap_or_default();
        self.found.push((path, name));
    }
}

#[test]
fn groups_aliases_and_globs_become_paths() {
    let tokens = crate::code::tokens("a::{b, c::{self, d as e, f::*}, self as g}; h");
    let (leaves, end) = leaves(&tokens, 0);
    let leaves: Vec<_> = leaves
        .iter()
        .map(|(path, name)| (path.join(" "), *name))
        .collect();
    let expected = [
        ("a b", "b"),
        ("a c", "c"),
        ("a c d", "e"),
        ("a c f *", "*"),
        ("a", "g"),
    ];
    assert_eq!(leaves, expected.map(|(path, name)| (path.to_owned(), name)));
    assert_eq!(tokens[end].text, ";");
}
