//! All modules of a tree of files, and the module in which a path through them ends.

use std::collections::BTreeMap;

use crate::code::{Token, without_tests};
use crate::items::{Import, Items, Path, items};
use crate::source::File;

/// A file, as a module.
pub(crate) struct Module<'a> {
    pub(crate) path: Vec<&'a str>,
    pub(crate) file: &'a File,
    pub(crate) items: Items<'a>,
    /// Tests left out.
    pub(crate) tokens: Vec<Token<'a>>,
}

impl<'a> Module<'a> {
    fn new(file: &'a File) -> Self {
        let tokens = without_tests(&file.tokens());
        Self {
            path: module_path(&file.path),
            file,
            items: items(&tokens),
            tokens,
        }
    }

    /// The imports that others reach through this module by this name.
    fn imported(&self, name: &str) -> impl Iterator<Item = &Import<'a>> {
        let imports = self.items.imports.iter();
        imports.filter(move |import| import.is_at_top && import.name == name)
    }

    /// A path of this module from the root of the crate, unless another crate is meant.
    fn absolute(&self, path: &Path<'a>) -> Option<Vec<&'a str>> {
        let mut base = [&self.path[..], &path.within].concat();
        let mut rest = &path.segments[..];
        match rest.first()? {
            &"crate" | &"mcp_manifold" => Some(rest[1..].to_vec()),
            &"self" | &"super" => {
                while let Some(first @ (&"self" | &"super")) = rest.first() {
                    if *first == "super" {
                        base.pop()?;
                    }
                    rest = &rest[1..];
                }
                Some([&base, rest].concat())
            }
            _ => None,
        }
    }
}

/// Returns the path of a module. `a/b.rs` and `a/b/mod.rs` are both `a::b`; `lib.rs` is the root, and `main.rs` stands there.
fn module_path(file: &str) -> Vec<&str> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let mut parts: Vec<_> = path.split('/').collect();
    if matches!(parts.last(), Some(&"mod" | &"lib")) {
        parts.pop();
    }
    parts
}

/// The end of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target<'a> {
    pub(crate) module: usize,
    pub(crate) name: &'a str,
    /// Whether the module defines the name, or re-exports it from another crate.
    pub(crate) is_known: bool,
}

pub(crate) struct Tree<'a> {
    pub(crate) modules: Vec<Module<'a>>,
    by_path: BTreeMap<Vec<&'a str>, usize>,
}

impl<'a> Tree<'a> {
    /// Reads the files that hold more than tests.
    pub(crate) fn new(files: &'a [File]) -> Self {
        let files = files.iter().filter(|file| !file.is_test());
        let modules: Vec<_> = files.map(Module::new).collect();
        let places = modules.iter().enumerate();
        let by_path = places
            .map(|(at, module)| (module.path.clone(), at))
            .collect();
        Self { modules, by_path }
    }

    pub(crate) fn file(&self, module: usize) -> &'a str {
        &self.modules[module].file.path
    }

    /// The module of exactly this path.
    pub(crate) fn module(&self, path: &[&str]) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// A path that stands in a module, from the root of the crate. Its first segment may be a child
    /// module or an import.
    pub(crate) fn absolute(&self, module: usize, path: &Path<'a>) -> Option<Vec<&'a str>> {
        let here = &self.modules[module];
        if let Some(absolute) = here.absolute(path) {
            return Some(absolute);
        }
        let (first, rest) = path.segments.split_first()?;
        let is_itself = |import: &&Import<'a>| import.path.segments != path.segments;
        let mut imports = here.items.imports.iter().filter(is_itself);
        if let Some(import) = imports.find(|import| import.name == *first) {
            let begun = self.absolute(module, &import.path)?;
            return Some([&begun, rest].concat());
        }
        let child = [&here.path[..], &[*first]].concat();
        let is_child = self.module(&child).is_some() || here.items.defined.contains(first);
        is_child.then(|| [&child, rest].concat())
    }

    /// Follows a path from the root of the crate to the module that defines the named item.
    ///
    /// Returns `None` if the path names a module.
    pub(crate) fn resolve(&self, path: &[&'a str]) -> Option<Target<'a>> {
        self.follow(path, 0)
    }

    fn follow(&self, path: &[&'a str], handed_on: usize) -> Option<Target<'a>> {
        assert!(handed_on < 20, "{path:?} is handed on in a circle");
        // The last segment of a module's own path may name a function, too.
        let is_module = self.module(path).is_some();
        let longest = path.len() - usize::from(is_module && !path.is_empty());
        let depth = (0..=longest)
            .rev()
            .find(|depth| self.module(&path[..*depth]).is_some())?;
        let module = self.module(&path[..depth])?;
        let (name, rest) = path[depth..].split_first()?;
        let items = &self.modules[module].items;
        let target = |is_known| Target {
            module,
            name,
            is_known,
        };
        if items.defined.contains(name) {
            return Some(target(true));
        }
        let mut is_handed_on = false;
        for import in self.modules[module].imported(name) {
            let Some(begun) = self.absolute(module, &import.path) else {
                return Some(target(true));
            };
            let target = self.follow(&[&begun, rest].concat(), handed_on + 1);
            if target.is_some() {
                return target;
            }
            is_handed_on = true;
        }
        if is_handed_on {
            return None;
        }
        let globs = self.modules[module].imported("*");
        let found = globs.filter_map(|glob| {
            let path = self.absolute(module, &glob.path)?;
            let path = [&path[..path.len() - 1], &[*name], rest].concat();
            self.follow(&path, handed_on + 1)
        });
        let mut found = found.filter(|target| target.is_known);
        found.next().or_else(|| (!is_module).then(|| target(false)))
    }
}
