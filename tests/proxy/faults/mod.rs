//! Every fault of an upstream, in the middle of everything that it may be doing: what the client sees,
//! how often the upstream ran the call, and how service comes back.
//!
//! [`expected::cell`] says what has to be seen, and each fault is a test a kind of upstream, of all that it
//! may strike. The same stands in `docs/reliability.md`.
//! `cargo test --test proxy -- --ignored --nocapture faults::table` prints what is really seen.

mod bomb;
mod expected;
mod fault;
mod hosts;
mod operation;
mod page;
mod scene;
mod seen;
mod site;
mod sockets;

use fault::Fault;
use futures_util::StreamExt;
use futures_util::future::join_all;
use operation::Operation;
use testkit::upstream::Kind;
use tokio::sync::Semaphore;

/// An upstream of some kind, what happens to it, and what is under way then.
type Cell = (Kind, Fault, Operation);

/// How many cells are tried at a time. A proxy that gets no processor does not see in time what it has lost.
const AT_ONCE: usize = 8;

/// Those that are.
static TRIED: Semaphore = Semaphore::const_new(AT_ONCE);

/// The cells of the faults that this lets through, in the order of the page.
fn cells(kind: Kind, is_wanted: impl Fn(Fault) -> bool) -> Vec<Cell> {
    let faults = fault::ALL.iter().map(|(fault, ..)| *fault);
    let cells = faults.filter(|fault| is_wanted(*fault)).flat_map(|fault| {
        let operations = operation::ALL.iter().map(|(operation, ..)| *operation);
        operations.map(move |operation| (kind, fault, operation))
    });
    cells
        .filter(|(kind, fault, operation)| expected::cell(*kind, *fault, *operation).is_some())
        .collect()
}

/// Runs the cells of a fault side by side, since most of their time is waiting, and compares what is
/// seen with what has to be.
async fn check(name: &str, kind: Kind) {
    let fault = Fault::named(name);
    let cells = cells(kind, |it| it == fault).into_iter();
    let runs = cells.map(|cell| async move {
        let (kind, fault, operation) = cell;
        let expected = expected::cell(kind, fault, operation).unwrap();
        let _permit = TRIED.acquire().await.unwrap();
        match tokio::spawn(scene::run(kind, fault, operation)).await {
            Ok(Some(seen)) => (!seen.is(expected.seen)).then(|| {
                let (must, why) = (expected.seen, expected.why);
                format!("{cell:?}, for {why}: {seen:?} instead of {must:?}")
            }),
            Ok(None) => {
                eprintln!("{cell:?} is left out: the system does not let a test do this");
                None
            }
            Err(error) => Some(format!("{cell:?}: {error}")),
        }
    });
    let wrong: Vec<_> = join_all(runs).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Makes tests of each fault.
macro_rules! faults {
    ($($fault:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($fault)),*];
        $(
            async fn $fault(kind: Kind) {
                check(stringify!($fault), kind).await;
            }
        )*
        testkit::per_kind! { $($fault)* }
    };
}

faults! {
    refused_for_a_moment
    refused
    no_such_name
    hangs
    reset_at_connect
    reset_after_request
    cut_reply
    half_an_event
    no_session
    unauthorized
    too_many_requests
    internal_error
    unavailable
    unavailable_for_now
    redirect_loop
    wrong_type
    gzip_bomb
    slow_drip
    restarted
    other_era
    asleep
}

#[test]
fn every_fault_is_tested() {
    assert_eq!(TESTED, fault::ALL.map(|(_, name, _)| name));
}

#[test]
fn the_page_has_what_is_expected() {
    for kind in Kind::ALL {
        let table = page::table(|fault, operation| {
            expected::cell(kind, fault, operation).map(|cell| cell.seen)
        });
        assert_eq!(page::stored(kind), table, "{kind}; write this:\n{table}");
    }
}

#[tokio::test]
#[ignore = "prints what is seen of every fault, which takes a while"]
async fn table() {
    for kind in Kind::ALL {
        let cells = cells(kind, |_| true).into_iter();
        let runs = cells.map(|(_, fault, operation)| async move {
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
        println!("{kind}\n\n{table}");
    }
}
