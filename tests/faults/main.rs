//! Every fault of an upstream, in the middle of everything that it may be doing: what the client sees,
//! how often the upstream ran the call, and how service comes back.
//!
//! [`expected::TABLE`] says what has to be seen, and each cell of it is a test. The same stands
//! in `docs/reliability.md`. `cargo test --test faults -- --ignored --nocapture table` prints what is
//! really seen.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bomb;
mod expected;
mod fault;
mod hosts;
mod operation;
mod page;
mod scene;
mod seen;
mod site;
#[path = "../support/mod.rs"]
mod support;

use fault::Fault;
use futures_util::StreamExt;
use operation::Operation;
use site::{KINDS, Kind};

/// How many cells are tried at a time for the table.
const AT_ONCE: usize = 8;

/// Runs a cell and compares what is seen with what has to be.
async fn check(kind: &str, fault: &str, operation: &str) {
    let cell = (
        Kind::named(kind),
        Fault::named(fault),
        Operation::named(operation),
    );
    let (kind, fault, operation) = cell;
    let expected = expected::cell(kind, fault, operation);
    let expected = expected.unwrap_or_else(|| panic!("nothing is expected of {cell:?}"));
    match scene::run(kind, fault, operation).await {
        Some(seen) => assert!(
            seen.is(expected.seen),
            "{cell:?}, for {}: {seen:?} instead of {:?}",
            expected.why,
            expected.seen
        ),
        None => eprintln!("left out: the system does not let a test do this"),
    }
}

/// Makes a test of each cell.
macro_rules! cells {
    ($($kind:ident { $($fault:ident [$($operation:ident)*])* })*) => {
        const TESTED: &[(&str, &str, &str)] = &[$($($(
            (stringify!($kind), stringify!($fault), stringify!($operation)),
        )*)*)*];
        $(mod $kind {$(mod $fault {$(
            #[tokio::test]
            async fn $operation() {
                $crate::check(stringify!($kind), stringify!($fault), stringify!($operation)).await;
            }
        )*})*})*
    };
}

cells! {
    legacy {
        refused_for_a_moment [call idempotent_call list stream]
        refused [call idempotent_call list stream]
        no_such_name [call idempotent_call list stream]
        hangs [call idempotent_call list stream]
        reset_at_connect [call idempotent_call list stream]
        reset_after_request [call idempotent_call list stream]
        cut_reply [call idempotent_call list stream]
        half_an_event [call idempotent_call list stream]
        no_session [call idempotent_call list stream]
        unauthorized [call idempotent_call list stream]
        too_many_requests [call idempotent_call list stream]
        internal_error [call idempotent_call list stream]
        unavailable [call idempotent_call list stream]
        unavailable_for_now [call idempotent_call list stream]
        redirect_loop [call idempotent_call list stream]
        wrong_type [call idempotent_call list stream]
        gzip_bomb [call idempotent_call list stream]
        slow_drip [call idempotent_call list stream]
        restarted [call idempotent_call list stream]
        other_era [call idempotent_call list stream]
        asleep [call idempotent_call list stream]
    }
    modern {
        refused_for_a_moment [stream]
        refused [stream]
        no_such_name [stream]
        hangs [stream]
        reset_at_connect [stream]
        reset_after_request [call stream]
        cut_reply [stream]
        half_an_event [stream]
        too_many_requests [stream]
        internal_error [stream]
        unavailable [stream]
        unavailable_for_now [stream]
        wrong_type [stream]
        gzip_bomb [stream]
        slow_drip [stream]
        restarted [call stream]
        other_era [call idempotent_call list stream]
        asleep [call stream]
    }
    http_sse {
        refused_for_a_moment [call stream]
        refused [stream]
        no_such_name [stream]
        hangs [stream]
        reset_at_connect [stream]
        reset_after_request [call stream]
        cut_reply [stream]
        half_an_event [stream]
        no_session [call stream]
        too_many_requests [call stream]
        internal_error [stream]
        unavailable [stream]
        unavailable_for_now [stream]
        wrong_type [stream]
        gzip_bomb [stream]
        slow_drip [stream]
        restarted [call stream]
        asleep [call stream]
    }
}

#[test]
fn every_cell_is_tested() {
    for (kind, kind_name) in KINDS {
        for (fault, fault_name, _) in fault::ALL {
            for (operation, operation_name, _) in operation::ALL {
                let cell = (kind_name, fault_name, operation_name);
                let is_expected = expected::cell(kind, fault, operation).is_some();
                assert_eq!(TESTED.contains(&cell), is_expected, "{cell:?}");
            }
        }
    }
}

#[test]
fn the_page_has_what_is_expected() {
    for (kind, name) in KINDS {
        let table = page::table(|fault, operation| {
            expected::cell(kind, fault, operation).map(|cell| cell.seen)
        });
        assert_eq!(page::stored(kind), table, "{name}; write this:\n{table}");
    }
}

#[tokio::test]
#[ignore = "prints what is seen of every fault, which takes a while"]
async fn table() {
    let only = std::env::var("KIND").ok();
    for (kind, name) in KINDS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let tested = TESTED.iter().filter(|cell| cell.0 == name);
        let cells = tested.map(|cell| (Fault::named(cell.1), Operation::named(cell.2)));
        let runs = cells.map(|(fault, operation)| async move {
            let seen = tokio::spawn(scene::run(kind, fault, operation)).await;
            let text = match seen {
                Ok(Some(seen)) => seen.to_string(),
                Ok(None) => "left out".to_owned(),
                Err(_) => "**fails**".to_owned(),
            };
            (fault, operation, text)
        });
        let seen: Vec<_> = futures_util::stream::iter(runs)
            .buffered(AT_ONCE)
            .collect()
            .await;
        let table = page::table(|fault, operation| {
            let found = seen
                .iter()
                .find(|cell| (cell.0, cell.1) == (fault, operation));
            found.map(|cell| cell.2.clone())
        });
        println!("{name}\n\n{table}");
    }
}
