//! The order of the folders of a stage: each uses itself and earlier ones.

use std::collections::BTreeMap;

use crate::circles::{Source, source};
use crate::ratchet::{Ratchet, assert_exact};

/// Stages with the order of their rooms. A room is a folder, or a file directly in the stage. Some rooms do not exist
/// yet. `mod.rs` of the stage is the last.
const ROOMS: [(&str, &[&str]); 3] = [
    (
        "oauth",
        &[
            "error",
            "scope",
            "tokens",
            "address",
            "store",
            "discovery",
            "authority",
            "login",
            "sign_in",
            "credential",
            "credentials",
            "login_flow",
            "authorizer",
        ],
    ),
    (
        "upstream",
        &[
            "error",
            "id",
            "flow",
            "subscription",
            "transport",
            "connection",
            "handshake",
            "offers",
            "cache",
            "session",
            "call",
            "handle",
            "registry",
        ],
    ),
    (
        "router",
        &[
            "call",
            "client",
            "context",
            "forward",
            "methods",
            "dispatch",
            "client_notifications",
            "sessions",
            "tool_changes",
            "close",
            "upstream_events",
            "reload",
        ],
    ),
];

/// The number of files of a stage in no room of the table.
#[rustfmt::skip]
const WITHOUT_ROOM: &Ratchet = &[
];

/// The number of arrows of a stage that run to a later room.
#[rustfmt::skip]
const TO_LATER_ROOMS: &Ratchet = &[
];

/// The place of a module in the order of its stage's rooms.
enum Place {
    /// The stage of the module has no order.
    Free,
    NoRoom,
    Room(&'static str, usize),
}

fn place(path: &[&str]) -> Place {
    let stage = path.first();
    let Some((stage, rooms)) = ROOMS.iter().find(|(name, _)| Some(name) == stage) else {
        return Place::Free;
    };
    let Some(room) = path.get(1) else {
        return Place::Room(stage, rooms.len());
    };
    let found = rooms.iter().position(|name| name == room);
    found.map_or(Place::NoRoom, |at| Place::Room(stage, at))
}

/// Counts what breaks a rule, by stage, and compares that with a list.
fn assert_listed(list: &str, listed: &Ratchet, broken: &BTreeMap<&str, Vec<String>>) {
    let found = broken.iter();
    let found = found.map(|(stage, lines)| ((*stage).to_owned(), lines.len()));
    assert_exact(list, listed, &found.collect(), |stage| {
        broken[stage].join("\n")
    });
}

#[test]
fn every_file_of_an_ordered_stage_has_a_room() {
    let mut without: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for module in &source().tree.modules {
        if let Place::NoRoom = place(&module.path) {
            let files = without.entry(module.path[0]).or_default();
            files.push(format!("  src/{} has no room", module.file.path));
        }
    }
    assert_listed("WITHOUT_ROOM", WITHOUT_ROOM, &without);
}

#[test]
fn a_room_uses_only_itself_and_earlier_ones() {
    let Source { tree, arrows } = source();
    let mut upwards: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for ((from, to), names) in arrows {
        let places = [from, to].map(|at| place(&tree.modules[*at].path));
        if let [Place::Room(stage, here), Place::Room(other, there)] = places
            && stage == other
            && here < there
        {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let (from, to) = (tree.file(*from), tree.file(*to));
            let line = format!("  src/{from} uses the later src/{to}: {}", names.join(", "));
            upwards.entry(stage).or_default().push(line);
        }
    }
    assert_listed("TO_LATER_ROOMS", TO_LATER_ROOMS, &upwards);
}
