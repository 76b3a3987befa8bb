//! The items of one module: the names that it defines and imports, its paths, `impl` blocks and functions.

use std::collections::BTreeSet;

use crate::code::{Token, closing, is_at};
use crate::use_tree::leaves;

/// A path, with the inline modules around it, by which `super` counts.
#[derive(Clone, Debug)]
pub(crate) struct Path<'a> {
    pub(crate) within: Vec<&'a str>,
    pub(crate) segments: Vec<&'a str>,
}

/// One name of a `use`, or a glob.
#[derive(Debug)]
pub(crate) struct Import<'a> {
    pub(crate) path: Path<'a>,
    /// The name under which it is imported: its own, an alias or `*`.
    pub(crate) name: &'a str,
    pub(crate) is_public: bool,
    /// Whether the import is in the module itself, not in a function or an inline module.
    pub(crate) is_at_top: bool,
}

/// An `impl` block; for a trait, or an inherent one.
#[derive(Debug)]
pub(crate) struct Implementation<'a> {
    pub(crate) of: Path<'a>,
    pub(crate) is_inherent: bool,
    pub(crate) methods: Vec<Method<'a>>,
}

#[derive(Debug)]
pub(crate) struct Method<'a> {
    pub(crate) name: &'a str,
    /// The module that may call it, and whose children may.
    pub(crate) visible_in: Path<'a>,
}

/// The items of one file.
#[derive(Debug, Default)]
pub(crate) struct Items<'a> {
    pub(crate) defined: BTreeSet<&'a str>,
    pub(crate) imports: Vec<Import<'a>>,
    pub(crate) paths: Vec<Path<'a>>,
    pub(crate) implementations: Vec<Implementation<'a>>,
    /// The methods that traits declare.
    pub(crate) declared: Vec<&'a str>,
    /// Names without a path before or after them, outside of imports. Those in lower case are called.
    pub(crate) bare: BTreeSet<&'a str>,
    pub(crate) methods_called: BTreeSet<&'a str>,
}

enum Scope<'a> {
    Module(&'a str),
    Other,
}

const DEFINING: [&str; 8] = [
    "struct", "enum", "trait", "type", "fn", "const", "static", "mod",
];

/// Reads the tokens of a file, tests left out.
pub(crate) fn items<'a>(tokens: &[Token<'a>]) -> Items<'a> {
    let mut reader = Reader {
        tokens,
        scopes: Vec::new(),
        items: Items::default(),
    };
    let mut at = 0;
    while at < tokens.len() {
        at = reader.read(at);
    }
    reader.items
}

struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    scopes: Vec<Scope<'a>>,
    items: Items<'a>,
}

impl<'a> Reader<'_, 'a> {
    /// Reads the item at `at` and returns the place after it.
    fn read(&mut self, at: usize) -> usize {
        match self.tokens[at].text {
            "{" => self.scopes.push(Scope::Other),
            "}" => drop(self.scopes.pop()),
            "use" if !is_at(self.tokens, at + 1, &["<"]) => return self.import(at),
            "impl" if self.is_item(at) => {
                let found = implementation(self.tokens, at, self.within());
                self.items.implementations.push(found);
            }
            "trait" if self.is_item(at) => {
                let open = self.tokens[at..].iter().position(|token| token.text == "{");
                let methods = methods(self.tokens, at + open.unwrap_or(0), &[]).into_iter();
                self.items
                    .declared
                    .extend(methods.map(|method| method.name));
            }
            _ => {}
        }
        if DEFINING.contains(&self.tokens[at].text) {
            self.definition(at)
        } else if self.tokens[at].is_word() {
            self.name_or_path(at)
        } else {
            at + 1
        }
    }

    /// The inline modules around the current place.
    fn within(&self) -> Vec<&'a str> {
        let modules = self.scopes.iter().filter_map(|scope| match scope {
            Scope::Module(name) => Some(*name),
            Scope::Other => None,
        });
        modules.collect()
    }

    /// Returns `true` if an item of a module begins at this keyword. The keyword may also be part of a type.
    fn is_item(&self, at: usize) -> bool {
        let before = at.checked_sub(1).map(|at| self.tokens[at].text);
        let begins = matches!(
            before,
            None | Some(";" | "{" | "}" | "]" | ")" | "pub" | "unsafe")
        );
        begins && self.within().len() == self.scopes.len()
    }

    fn import(&mut self, start: usize) -> usize {
        let (leaves, end) = leaves(self.tokens, start + 1);
        let imports = leaves.into_iter().map(|(segments, name)| Import {
            path: Path {
                within: self.within(),
                segments,
            },
            name,
            is_public: visibility(self.tokens, start) != ["self"],
            is_at_top: self.scopes.is_empty(),
        });
        let imports: Vec<_> = imports.collect();
        self.items.imports.extend(imports);
        end + 1
    }

    /// A keyword that defines the name after it, if there is one: `const fn`, `fn(u8)`.
    fn definition(&mut self, at: usize) -> usize {
        let name = self.tokens.get(at + 1).filter(|token| token.is_word());
        let name = name.filter(|name| !DEFINING.contains(&name.text));
        let Some(name) = name else {
            return at + 1;
        };
        let is_module = self.tokens[at].text == "mod";
        let is_inline = is_module && is_at(self.tokens, at + 2, &["{"]);
        if self.scopes.is_empty() && (is_inline || !is_module) {
            self.items.defined.insert(name.text);
        }
        if is_inline {
            self.scopes.push(Scope::Module(name.text));
            return at + 3;
        }
        at + 2
    }

    fn name_or_path(&mut self, start: usize) -> usize {
        let tokens = self.tokens;
        let before = start.checked_sub(1).map_or("", |at| tokens[at].text);
        let (mut segments, mut at) = (vec![tokens[start].text], start + 1);
        while is_at(tokens, at, &["::"]) && tokens.get(at + 1).is_some_and(Token::is_word) {
            segments.push(tokens[at + 1].text);
            at += 2;
        }
        let is_called = is_at(tokens, at, &["("]) || is_at(tokens, at, &["!"]);
        if before == "." && (is_called || is_at(tokens, at, &["::"])) {
            self.items.methods_called.insert(segments[0]);
        }
        if before == "." || before == "::" {
            return at;
        }
        if segments.len() > 1 {
            let within = self.within();
            self.items.paths.push(Path { within, segments });
        } else {
            let name = segments[0];
            if is_called || name.starts_with(char::is_uppercase) {
                self.items.bare.insert(name);
            }
        }
        at
    }
}

/// The module in which the item at the keyword `at` is visible.
fn visibility<'a>(tokens: &[Token<'a>], at: usize) -> Vec<&'a str> {
    let before = |token: &Token<'_>| matches!(token.text, ";" | "{" | "}" | "]");
    let start = tokens[..at].iter().rposition(before);
    let visibility = &tokens[start.map_or(0, |start| start + 1)..at];
    let is_restricted = is_at(visibility, 0, &["pub", "("]);
    let words = visibility.iter().filter(|token| token.is_word());
    let mut words = words.map(|token| token.text);
    match words.next() {
        Some("pub") if is_restricted => {
            let end = closing(visibility, 1);
            let path = visibility[..end]
                .iter()
                .skip(1)
                .filter(|token| token.is_word());
            let path = path.map(|token| token.text).filter(|word| *word != "in");
            path.collect()
        }
        Some("pub") => vec!["crate"],
        _ => vec!["self"],
    }
}

fn implementation<'a>(
    tokens: &[Token<'a>],
    start: usize,
    within: Vec<&'a str>,
) -> Implementation<'a> {
    let (mut at, mut angles, mut is_inherent) = (start + 1, 0_usize, true);
    let mut segments = Vec::new();
    while tokens[at].text != "{" {
        match tokens[at].text {
            "where" => break,
            "<" => angles += 1,
            ">" if tokens[at - 1].text != "-" => angles -= 1,
            "for" if angles == 0 => {
                is_inherent = false;
                segments.clear();
            }
            "dyn" => {}
            word if angles == 0 && tokens[at].is_word() => segments.push(word),
            _ => {}
        }
        at += 1;
    }
    let open = (at..tokens.len()).find(|at| tokens[*at].text == "{");
    let methods = methods(tokens, open.unwrap_or(at), &within);
    Implementation {
        of: Path { within, segments },
        is_inherent,
        methods,
    }
}

/// The functions directly within the braces at `open`.
fn methods<'a>(tokens: &[Token<'a>], open: usize, within: &[&'a str]) -> Vec<Method<'a>> {
    let (mut methods, mut at, end) = (Vec::new(), open + 1, closing(tokens, open));
    while at < end {
        match tokens[at].text {
            "{" => at = closing(tokens, at),
            "fn" => methods.push(Method {
                name: tokens[at + 1].text,
                visible_in: Path {
                    within: within.to_vec(),
                    segments: visibility(tokens, at),
                },
            }),
            _ => {}
        }
        at += 1;
    }
    methods
}
