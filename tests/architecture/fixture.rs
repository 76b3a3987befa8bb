//! The test of the circle test: a small tree whose circles are known.

use std::collections::BTreeSet;

use crate::arrows::{arrows, arrows_of_away};
use crate::circles::{circles, described};
use crate::source::File;
use crate::tree::Tree;

/// `a`, `b` and `c` use each other in a circle. `b` imports its name from the façade, which re-exports an item of `c`.
/// `d` is outside of the circle: a `pub use` of it does not count.
const FILES: [(&str, &str); 5] = [
    (
        "lib.rs",
        "pub mod a; mod b; mod c; mod d;
         pub use c::{Third, inner::{Deep as Renamed}};
         pub(crate) use d::Fourth;",
    ),
    (
        "a.rs",
        "use crate::{b::Second, d};
         pub struct First(Second, d::Fourth);
         #[cfg(test)]
         mod tests { use crate::d::Fourth; }",
    ),
    ("b/mod.rs", "use super::Third; pub struct Second(Third);"),
    (
        "c.rs",
        "pub struct Third(Option<Box<super::a::First>>);
         pub mod inner { pub struct Deep; impl Deep { fn it(_: super::Third) {} } }",
    ),
    (
        "d.rs",
        "// use crate::a::First;
         pub struct Fourth; const TEXT: &str = \"crate::a::First\";",
    ),
];

fn files(files: &[(&str, &str)]) -> Vec<File> {
    let files = files.iter().copied();
    files
        .map(|(path, text)| File::new(path.to_owned(), text.to_owned()))
        .collect()
}

/// The arrows of a tree, as `from → to: names`.
fn drawn(files: &[File]) -> BTreeSet<String> {
    let tree = Tree::new(files);
    let (mut all, away) = (arrows(&tree), arrows_of_away(&tree));
    for (arrow, names) in away {
        all.entry(arrow).or_default().extend(names);
    }
    let arrows = all.iter().map(|((from, to), names)| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        format!(
            "{} → {}: {}",
            tree.file(*from),
            tree.file(*to),
            names.join(" ")
        )
    });
    arrows.collect()
}

#[test]
fn arrows_follow_what_is_handed_on() {
    let expected = [
        "a.rs → b/mod.rs: Second",
        "a.rs → d.rs: Fourth",
        "b/mod.rs → c.rs: Third",
        "c.rs → a.rs: First",
    ];
    assert_eq!(drawn(&files(&FILES)), expected.map(str::to_owned).into());
}

#[test]
fn a_circle_is_found_with_the_names_that_make_it() {
    let files = files(&FILES);
    let tree = Tree::new(&files);
    let arrows = arrows(&tree);
    let found = circles(&tree, &arrows);
    assert_eq!(found.len(), 1);
    let expected = "  a circle of 3 files:
    src/a.rs uses
      src/b/mod.rs: Second
    src/b/mod.rs uses
      src/c.rs: Third
    src/c.rs uses
      src/a.rs: First
";
    assert_eq!(described(&tree, &arrows, &found[0]), expected);
}

#[test]
fn a_facade_that_uses_what_it_hands_on_has_an_arrow() {
    let used = files(&[
        (
            "lib.rs",
            "mod a; pub use a::{Used, Only, run}; fn f(_: Used) { let run = 1; g(run) }",
        ),
        ("a.rs", "pub struct Used; pub struct Only; pub fn run() {}"),
    ]);
    assert_eq!(drawn(&used), ["lib.rs → a.rs: Used".to_owned()].into());
}

#[test]
fn globs_aliases_and_modules_by_name_are_followed() {
    let files = files(&[
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("a.rs", "pub use crate::b::*; pub use crate::c as see;"),
        ("b.rs", "pub struct B; pub struct Unused;"),
        ("c.rs", "pub fn run() {} pub use bytes::Bytes;"),
        (
            "d.rs",
            "use crate::a::*; use crate::a::see; fn f(_: B) { see::run() }",
        ),
        (
            "e.rs",
            "use crate::{a::B as Bee, c::{self as sea, Bytes}}; fn f() { sea::run() }",
        ),
    ]);
    let expected = [
        "d.rs → b.rs: B",
        "d.rs → c.rs: run",
        "e.rs → b.rs: B",
        "e.rs → c.rs: Bytes run",
    ];
    assert_eq!(drawn(&files), expected.map(str::to_owned).into());
}

#[test]
fn an_impl_away_from_home_ties_its_callers() {
    let files = files(&[
        ("lib.rs", "mod home; mod away; mod caller; mod stranger;"),
        ("home.rs", "pub struct T; impl T { fn common(&self) {} } pub struct Other;"),
        (
            "away.rs",
            "use crate::home::{Other, T};
             impl T { pub fn only(&self) -> impl Sized { 1 } fn mine(&self) {} pub fn common(&self) {} }
             impl Clone for Other { fn clone(&self) -> Self { Other } }",
        ),
        ("caller.rs", "fn f(t: X) { t.only(); t.common(); t.mine() }"),
        ("stranger.rs", "impl Own { fn common(&self) {} } struct Own;"),
    ]);
    let expected = [
        "away.rs → home.rs: Other T impl T",
        "caller.rs → away.rs: T::only",
    ];
    assert_eq!(drawn(&files), expected.map(str::to_owned).into());
}
