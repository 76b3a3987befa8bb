//! Injects every fault into a server during every operation.
//!
//! The tests check what the client receives, how often the server ran the call, and how the proxy recovers.
//!
//! [`expected::cell`] holds the expectations. Each fault has one test per kind of server, which covers all
//! operations. `docs/reliability.md` shows the same expectations as tables.
//! `cargo test --test proxy -- --ignored --nocapture faults::print_observed` prints the observed tables.

mod expected;
mod fault;
mod gzip;
mod hosts;
mod observation;
mod operation;
mod page;
mod scenario;
mod server;
mod sockets;

use fault::Fault;
use futures_util::StreamExt;
use futures_util::future::join_all;
use operation::Operation;
use testkit::upstream::Kind;
use tokio::sync::Semaphore;

/// A kind of server, its fault, and the operation in progress.
type Cell = (Kind, Fault, Operation);

/// The number of concurrent cells. A proxy without processor time notices lost connections too late.
const MAX_CONCURRENT: usize = 8;

/// One permit for each concurrent cell of all tests.
static CELL_PERMITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT);

/// Returns the cells of the faults that `includes` selects, in the order of the page.
fn cells(kind: Kind, includes: impl Fn(Fault) -> bool) -> Vec<Cell> {
    let faults = fault::ALL.iter().map(|(fault, ..)| *fault);
    let cells = faults.filter(|fault| includes(*fault)).flat_map(|fault| {
        let operations = operation::ALL.iter().map(|(operation, ..)| *operation);
        operations.map(move |operation| (kind, fault, operation))
    });
    cells
        .filter(|(kind, fault, operation)| expected::cell(*kind, *fault, *operation).is_some())
        .collect()
}

/// Runs the cells of one fault and compares observations with expectations. The cells run concurrently,
/// since they spend most of their time waiting.
async fn check(name: &str, kind: Kind) {
    let fault = Fault::named(name);
    let cells = cells(kind, |it| it == fault).into_iter();
    let runs = cells.map(|cell| async move {
        let (kind, fault, operation) = cell;
        let expected = expected::cell(kind, fault, operation).unwrap();
        let _permit = CELL_PERMITS.acquire().await.unwrap();
        match tokio::spawn(scenario::run(kind, fault, operation)).await {
            Ok(Some(observed)) => (!observed.matches(expected.observation)).then(|| {
                let (must, why) = (expected.observation, expected.why);
                format!("{cell:?}: {observed:?} instead of {must:?}; reason: {why}")
            }),
            Ok(None) => {
                eprintln!("{cell:?} is skipped: the system does not permit this fault");
                None
            }
            Err(error) => Some(format!("{cell:?}: {error}")),
        }
    });
    let wrong: Vec<_> = join_all(runs).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Makes the tests of each fault.
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
    refused_briefly
    refused
    unresolved_name
    hangs
    reset_on_connect
    reset_after_request
    truncated_response
    stalled_event
    session_lost
    unauthorized
    too_many_requests
    internal_error
    unavailable
    unavailable_with_retry_after
    redirect_loop
    wrong_type
    gzip_bomb
    slow_response
    restarted
    other_era
    suspended
}

#[test]
fn every_fault_is_tested() {
    assert_eq!(TESTED, fault::ALL.map(|(_, name, _)| name));
}

#[test]
fn tables_of_the_page_match_the_expectations() {
    for kind in Kind::ALL {
        let table = page::table(|fault, operation| {
            expected::cell(kind, fault, operation).map(|cell| cell.observation)
        });
        assert_eq!(page::stored(kind), table, "{kind}; write this:\n{table}");
    }
}

#[tokio::test]
#[ignore = "prints the observed tables, which takes a while"]
async fn print_observed() {
    for kind in Kind::ALL {
        let cells = cells(kind, |_| true).into_iter();
        let runs = cells.map(|(_, fault, operation)| async move {
            let observed = tokio::spawn(scenario::run(kind, fault, operation)).await;
            let text = match observed {
                Ok(Some(observed)) => observed.to_string(),
                Ok(None) => "skipped".to_owned(),
                Err(_) => "**fails**".to_owned(),
            };
            (fault, operation, text)
        });
        let observed: Vec<_> = futures_util::stream::iter(runs)
            .buffered(MAX_CONCURRENT)
            .collect()
            .await;
        let table = page::table(|fault, operation| {
            let found = observed
                .iter()
                .find(|cell| (cell.0, cell.1) == (fault, operation));
            found.map(|cell| cell.2.clone())
        });
        println!("{kind}\n\n{table}");
    }
}
