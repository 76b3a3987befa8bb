//! Circles of files: none is large, and none crosses the border of a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::OnceLock;

use crate::arrows::{Arrows, arrows, arrows_of_away, away, implementations, targets};
use crate::graph;
use crate::ratchet::{Ratchet, assert_exact};
use crate::source::files;
use crate::tree::Tree;

/// The most files of a circle.
const MAX_CIRCLE: usize = 3;

/// The number of files of a stage in circles of more than [`MAX_CIRCLE`].
#[rustfmt::skip]
const IN_LARGE_CIRCLES: &Ratchet = &[
];

/// The number of files of a stage in circles that cross the border of a folder. A file directly in the stage counts
/// as a folder.
#[rustfmt::skip]
const IN_CROSSING_CIRCLES: &Ratchet = &[
];

/// The number of other files with an inherent `impl` of a type.
#[rustfmt::skip]
const AWAY_FROM_HOME: &Ratchet = &[
];

/// All modules of `src/`, tests left out, and the arrows between them.
pub(crate) struct Source {
    pub(crate) tree: Tree<'static>,
    pub(crate) arrows: Arrows,
}

pub(crate) fn source() -> &'static Source {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let tree = Tree::new(files());
        let mut arrows = arrows(&tree);
        for (arrow, names) in arrows_of_away(&tree) {
            arrows.entry(arrow).or_default().extend(names);
        }
        Source { tree, arrows }
    })
}

/// The circles of these arrows, the largest first.
pub(crate) fn circles(tree: &Tree<'_>, arrows: &Arrows) -> Vec<Vec<usize>> {
    let edges = arrows.keys().copied().collect();
    let mut circles = graph::circles(tree.modules.len(), &edges);
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

/// Lists the files of a circle, and for each the files that it uses and by which names.
pub(crate) fn described(tree: &Tree<'_>, arrows: &Arrows, circle: &[usize]) -> String {
    let mut text = format!("  a circle of {} files:\n", circle.len());
    for from in circle {
        writeln!(text, "    src/{} uses", tree.file(*from)).unwrap();
        for to in circle {
            if let Some(names) = arrows.get(&(*from, *to)) {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                writeln!(text, "      src/{}: {}", tree.file(*to), names.join(", ")).unwrap();
            }
        }
    }
    text
}

/// Compares the number of files of each stage in these circles with the list.
fn assert_circles(list: &str, listed: &Ratchet, is_meant: impl Fn(&[usize]) -> bool) {
    let Source { tree, arrows } = source();
    let stage = |module: usize| tree.modules[module].path.first().map_or("", |stage| *stage);
    let mut circles = circles(tree, arrows);
    circles.retain(|circle| is_meant(circle));
    let mut found = BTreeMap::new();
    for module in circles.iter().flatten() {
        *found.entry(stage(*module).to_owned()).or_default() += 1;
    }
    assert_exact(list, listed, &found, |name| {
        let of_stage = |circle: &&Vec<usize>| circle.iter().any(|at| stage(*at) == name);
        let circles = circles.iter().filter(of_stage);
        circles
            .map(|circle| described(tree, arrows, circle))
            .collect()
    });
}

#[test]
fn no_circle_of_files_is_large() {
    assert_circles("IN_LARGE_CIRCLES", IN_LARGE_CIRCLES, |circle| {
        circle.len() > MAX_CIRCLE
    });
}

#[test]
fn no_circle_crosses_the_border_of_a_folder() {
    let tree = &source().tree;
    let folder = |at: &usize| {
        let path = &tree.modules[*at].path;
        &path[..path.len().min(2)]
    };
    assert_circles("IN_CROSSING_CIRCLES", IN_CROSSING_CIRCLES, |circle| {
        circle.iter().any(|at| folder(at) != folder(&circle[0]))
    });
}

#[test]
fn an_inherent_impl_stands_in_the_file_of_its_type() {
    let tree = &source().tree;
    let mut files: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for away in away(tree) {
        let of = format!(
            "{}::{}",
            tree.modules[away.home.module].path[0], away.home.name
        );
        files.entry(of).or_default().insert(tree.file(away.module));
    }
    let found = files.iter().map(|(of, files)| (of.clone(), files.len()));
    assert_exact("AWAY_FROM_HOME", AWAY_FROM_HOME, &found.collect(), |of| {
        let files = files[of].iter();
        files.map(|file| format!("  src/{file}\n")).collect()
    });
}

#[test]
fn every_path_within_the_crate_is_understood() {
    let tree = &source().tree;
    let mut seen = 0;
    for (from, module) in tree.modules.iter().enumerate() {
        let path = &module.file.path;
        for target in targets(tree, from) {
            seen += 1;
            let (file, name) = (tree.file(target.module), target.name);
            assert!(
                target.is_known,
                "src/{path}: where does src/{file} get `{name}`?"
            );
        }
    }
    for (module, implementation, home) in implementations(tree) {
        let is_found = home.is_some() || !implementation.is_inherent;
        let (file, of) = (tree.file(module), &implementation.of.segments);
        assert!(is_found, "src/{file}: which type is `{of:?}`?");
    }
    assert!(seen > 1000, "found only {seen} uses");
}

#[test]
#[ignore = "asserts nothing; prints every circle with its arrows"]
fn print_circles() {
    let Source { tree, arrows } = source();
    for circle in circles(tree, arrows) {
        println!("{}", described(tree, arrows, &circle));
    }
}
