//! Arrows between files: a file uses another one, by certain names.
//!
//! An arrow runs from a file to the file that defines what a `use` or a path names. A name that `pub use`
//! re-exports is followed to its definition. Naming a module or re-exporting a name is no arrow.
//! Names are compared as text: an enum variant named like a re-exported item looks like a use of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::items::{Implementation, Import};
use crate::tree::{Target, Tree};

/// The names by which a file uses another file. Files are numbers of the tree.
pub(crate) type Arrows = BTreeMap<(usize, usize), BTreeSet<String>>;

/// The arrows of all imports and paths.
pub(crate) fn arrows(tree: &Tree<'_>) -> Arrows {
    let mut arrows = Arrows::new();
    for from in 0..tree.modules.len() {
        for target in targets(tree, from) {
            if target.module != from {
                let names = arrows.entry((from, target.module)).or_default();
                names.insert(target.name.to_owned());
            }
        }
    }
    arrows
}

/// The items that the imports and paths of a module name.
pub(crate) fn targets<'a>(tree: &Tree<'a>, from: usize) -> Vec<Target<'a>> {
    let items = &tree.modules[from].items;
    let used = items.imports.iter().filter(|import| {
        let is_bare = items.bare.contains(import.name);
        import.name != "*" && (!import.is_public || is_bare)
    });
    let paths = used.map(|import| &import.path).chain(&items.paths);
    let absolute = paths.filter_map(|path| tree.absolute(from, path));
    let mut targets: Vec<_> = absolute.filter_map(|path| tree.resolve(&path)).collect();
    let globs = items.imports.iter().filter(|import| import.name == "*");
    targets.extend(globs.flat_map(|glob| by_glob(tree, from, glob)));
    targets
}

/// The items that a module uses of a glob: those whose names are in its code.
fn by_glob<'a>(tree: &Tree<'a>, from: usize, glob: &Import<'a>) -> Vec<Target<'a>> {
    let Some(path) = tree.absolute(from, &glob.path) else {
        return Vec::new();
    };
    let base = &path[..path.len() - 1];
    if tree.module(base).is_none() {
        // The variants of an enum.
        return tree.resolve(base).into_iter().collect();
    }
    let bare = tree.modules[from].items.bare.iter();
    let targets = bare.filter_map(|name| tree.resolve(&[base, &[*name]].concat()));
    targets.filter(|target| target.is_known).collect()
}

/// An inherent `impl` of a type that another module defines.
pub(crate) struct Away<'t, 'a> {
    pub(crate) home: Target<'a>,
    pub(crate) module: usize,
    implementation: &'t Implementation<'a>,
}

/// Every inherent `impl` that stands in another file than its type.
pub(crate) fn away<'t, 'a>(tree: &'t Tree<'a>) -> Vec<Away<'t, 'a>> {
    let owned = implementations(tree).into_iter();
    let away = owned.filter_map(|(module, implementation, home)| {
        let home = home.filter(|home| implementation.is_inherent && home.module != module)?;
        Some(Away {
            home,
            module,
            implementation,
        })
    });
    away.collect()
}

/// Every `impl` block with its module and its type.
pub(crate) fn implementations<'t, 'a>(
    tree: &'t Tree<'a>,
) -> Vec<(usize, &'t Implementation<'a>, Option<Target<'a>>)> {
    let mut found = Vec::new();
    for (at, module) in tree.modules.iter().enumerate() {
        for implementation in &module.items.implementations {
            let path = tree.absolute(at, &implementation.of);
            let home = path.and_then(|path| tree.resolve(&path));
            found.push((at, implementation, home));
        }
    }
    found
}

/// The arrows of each `impl` that is not in the file of its type. One runs to that file, others come from each file
/// that calls a method which no other type has.
pub(crate) fn arrows_of_away(tree: &Tree<'_>) -> Arrows {
    let owners = owners(tree);
    let mut arrows = Arrows::new();
    for away in away(tree) {
        let names = arrows.entry((away.module, away.home.module)).or_default();
        names.insert(format!("impl {}", away.home.name));
        for method in &away.implementation.methods {
            if owners[method.name].len() > 1 {
                continue;
            }
            let visible_in = tree.absolute(away.module, &method.visible_in);
            for (from, module) in tree.modules.iter().enumerate() {
                let may = visible_in.iter().any(|path| module.path.starts_with(path));
                if may && from != away.module && module.items.methods_called.contains(method.name) {
                    let names = arrows.entry((from, away.module)).or_default();
                    names.insert(format!("{}::{}", away.home.name, method.name));
                }
            }
        }
    }
    arrows
}

/// The types and traits that have a method of this name.
fn owners<'a>(tree: &Tree<'a>) -> BTreeMap<&'a str, BTreeSet<(usize, &'a str)>> {
    let mut owners: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (at, implementation, home) in implementations(tree) {
        let name = implementation
            .of
            .segments
            .last()
            .copied()
            .unwrap_or_default();
        let owner = home.map_or((at, name), |home| (home.module, home.name));
        for method in &implementation.methods {
            owners.entry(method.name).or_default().insert(owner);
        }
    }
    for (at, module) in tree.modules.iter().enumerate() {
        for name in &module.items.declared {
            owners.entry(name).or_default().insert((at, "a trait"));
        }
    }
    owners
}
