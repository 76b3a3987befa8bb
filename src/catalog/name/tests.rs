//! Assigning public names.

use super::*;
use proptest::prelude::*;

const AUTO: &Prefix = &Prefix::OnCollision;
const NEVER: &Prefix = &Prefix::Never;

fn input<'a>(upstream: &'a str, prefix: &'a Prefix, tools: &[&'a str]) -> NamingInput<'a> {
    NamingInput {
        upstream,
        prefix,
        tools: tools.to_vec(),
    }
}

/// Returns the names with a limit of 64; `-` stands for an omitted tool.
fn names(inputs: &[NamingInput]) -> Vec<Vec<String>> {
    names_within(64, inputs)
}

fn names_within(limit: usize, inputs: &[NamingInput]) -> Vec<Vec<String>> {
    let shown = |name: Option<Cow<str>>| name.map_or_else(|| "-".to_owned(), Cow::into_owned);
    let rows = public_names(inputs, limit).into_iter();
    rows.map(|row| row.into_iter().map(shown).collect())
        .collect()
}

#[test]
fn a_unique_valid_name_stays() {
    let inputs = [
        input("a", AUTO, &["search", "Get-It_2"]),
        input("b", AUTO, &["list"]),
    ];
    assert_eq!(names(&inputs), [vec!["search", "Get-It_2"], vec!["list"]]);
    assert!(
        public_names(&inputs, 64)
            .iter()
            .flatten()
            .all(|name| matches!(name, Some(Cow::Borrowed(_))))
    );
}

#[test]
fn on_a_collision_the_first_upstream_keeps_the_name() {
    let inputs = [
        input("linear", AUTO, &["search"]),
        input("github", AUTO, &["list", "search"]),
        input("my.jira", AUTO, &["search", "list"]),
    ];
    assert_eq!(
        names(&inputs),
        [
            vec!["search"],
            vec!["list", "github__search"],
            vec!["my_jira__search", "my_jira__list"]
        ]
    );
}

#[test]
fn of_equal_names_in_an_upstream_the_first_tool_counts() {
    let inputs = [
        input("a", AUTO, &["x", "x", "a.b", "a.b"]),
        input("b", AUTO, &["x", "x"]),
    ];
    assert_eq!(
        names(&inputs),
        [vec!["x", "-", "a_b_e27bcb35", "-"], vec!["b__x", "-"]]
    );
}

#[test]
fn a_prefix_may_be_chosen_or_refused() {
    let github = Prefix::Always("gh_".to_owned());
    let inputs = [
        input("github", &github, &["search", "x"]),
        input("a", NEVER, &["search", "gh_x"]),
        input("b", NEVER, &["search", "list"]),
    ];
    assert_eq!(
        names(&inputs),
        [
            vec!["gh_search", "gh_x"],
            vec!["search", "-"],
            vec!["-", "list"]
        ]
    );
}

#[test]
fn invalid_names_are_mapped_the_same_in_every_run() {
    let long = "x".repeat(65);
    let inputs = [input(
        "a",
        AUTO,
        &[
            "admin.tools.list",
            "admin.tools_list",
            "caf\u{e9}",
            "\u{1f600}",
            "",
            "a b",
            &long,
            &long[..64],
        ],
    )];
    let mapped = format!("{}_3400e322", &long[..55]);
    assert_eq!(
        names(&inputs),
        [vec![
            "admin_tools_list_0ce72d54",
            "admin_tools_list_78a7b8cf",
            "caf__874c8fb3",
            "__8bfd05b0",
            "_4fd0bfc1",
            "a_b_e2bca18b",
            &mapped,
            &long[..64],
        ]]
    );
}

#[test]
fn equal_invalid_names_are_distinguished_by_upstream() {
    let inputs = [
        input("a", AUTO, &["a.b"]),
        input("b", AUTO, &["a.b"]),
        input("c", NEVER, &["a.b"]),
    ];
    assert_eq!(
        names(&inputs),
        [["a_b_e27bcb35"], ["b__a_b_0a9cd554"], ["-"]]
    );
}

#[test]
fn a_name_too_long_with_its_prefix_is_cut() {
    let inputs = [
        input("a", AUTO, &["twelve_chars"]),
        input("upstream", AUTO, &["twelve_chars"]),
    ];
    assert_eq!(
        names_within(20, &inputs),
        [["twelve_chars"], ["upstream__t_c24d10d9"]]
    );
}

#[test]
fn a_generated_name_never_replaces_a_native_one() {
    let inputs = [
        input("a", AUTO, &["x", "a.b"]),
        input("b", AUTO, &["x"]),
        input("c", AUTO, &["b__x", "a_b_e27bcb35"]),
    ];
    assert_eq!(
        names(&inputs),
        [
            vec!["x", "a__a_b_041398a5"],
            vec!["b__x_daae827d"],
            vec!["b__x", "a_b_e27bcb35"]
        ]
    );
}

#[test]
fn upstreams_whose_prefixes_look_alike_get_different_names() {
    let inputs = [
        input("a", AUTO, &["x"]),
        input("b.c", AUTO, &["x"]),
        input("b c", AUTO, &["x"]),
    ];
    assert_eq!(names(&inputs), [["x"], ["b_c__x"], ["b_c__x_b0960c63"]]);
}

#[test]
fn a_limit_too_short_for_a_hash_omits_tools_that_need_one() {
    let inputs = [input("a", AUTO, &["short", "a.b", "much_too_long"])];
    assert_eq!(names_within(8, &inputs), [["short", "-", "-"]]);
    assert_eq!(names_within(0, &inputs), [["-", "-", "-"]]);
    assert_eq!(names_within(9, &inputs)[0][1], "_e27bcb35");
}

#[test]
fn the_hash_is_fnv_1a() {
    // The test vectors of FNV's authors.
    for (text, hash) in [
        ("", 0xcbf2_9ce4_8422_2325),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        assert_eq!(fnv1a(text.bytes()), hash, "{text}");
    }
}

#[derive(Debug, Clone)]
struct Listing {
    upstream: String,
    naming: Prefix,
    tools: Vec<String>,
}

fn listings() -> impl Strategy<Value = Vec<Listing>> {
    // Few letters, so that names, prefixed names and mapped names collide often.
    let naming = prop_oneof![
        4 => Just(Prefix::OnCollision),
        1 => Just(Prefix::Never),
        1 => "[ab.]{0,2}".prop_map(Prefix::Always),
    ];
    let tool = prop_oneof![
        "[ab.]{0,3}",
        "[ab]__[ab.]{1,2}",
        "[ab]{6,14}",
        "[ab]_[ab]_e27bcb35"
    ];
    let listing = ("[ab.]{1,2}", naming, prop::collection::vec(tool, 0..8)).prop_map(
        |(upstream, naming, tools)| Listing {
            upstream,
            naming,
            tools,
        },
    );
    prop::collection::vec(listing, 0..6)
}

fn as_inputs(listings: &[Listing]) -> Vec<NamingInput<'_>> {
    listings
        .iter()
        .map(
            |Listing {
                 upstream,
                 naming,
                 tools,
             }| NamingInput {
                upstream,
                prefix: naming,
                tools: tools.iter().map(String::as_str).collect(),
            },
        )
        .collect()
}

proptest! {
    #[test]
    fn all_names_are_valid_and_unique(listings in listings(), limit in 0_usize..20) {
        let inputs = as_inputs(&listings);
        let public = public_names(&inputs, limit);
        prop_assert_eq!(&public, &public_names(&inputs, limit));
        prop_assert_eq!(public.len(), inputs.len());
        let mut seen = HashSet::new();
        for (input, row) in inputs.iter().zip(&public) {
            prop_assert_eq!(row.len(), input.tools.len());
            for name in row.iter().flatten() {
                prop_assert!((1..=limit).contains(&name.len()), "{}", name);
                prop_assert!(name.bytes().all(is_allowed), "{}", name);
                prop_assert!(seen.insert(name.clone()), "{} twice", name);
            }
        }
    }

    #[test]
    fn no_later_upstream_changes_a_valid_native_name(listings in listings(), limit in 0_usize..20) {
        let inputs = as_inputs(&listings);
        let public = public_names(&inputs, limit);
        for end in 0..inputs.len() {
            let fewer = public_names(&inputs[..end], limit);
            for ((input, before), after) in inputs.iter().zip(fewer).zip(&public) {
                for ((tool, before), after) in input.tools.iter().zip(before).zip(after) {
                    if before.as_deref() == Some(*tool) {
                        prop_assert_eq!(after.as_deref(), Some(*tool));
                    }
                }
            }
        }
    }

    #[test]
    fn a_tool_is_left_out_for_a_reason(listings in listings(), limit in 20_usize..40) {
        let inputs = as_inputs(&listings);
        for (input, row) in inputs.iter().zip(public_names(&inputs, limit)) {
            for (index, name) in row.iter().enumerate() {
                let repeated = input.tools[..index].contains(&input.tools[index]);
                let refused = matches!(input.prefix, Prefix::Never);
                prop_assert!(name.is_some() || repeated || refused);
                prop_assert!(name.is_none() || !repeated);
            }
        }
    }
}
