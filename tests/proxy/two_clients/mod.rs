//! Two clients of one process, over two pairs of streams: nothing of one reaches the other.

/// Makes of each function, which takes a kind of server and the eras of two clients, one test a combination:
/// of all kinds, or of those in brackets.
macro_rules! per_pair {
    ([$($kind:ident)*]) => {};
    ([$($kind:ident)*] $claim:ident $($more:ident)*) => {
        mod $claim {
            per_pair! { @pair $claim both_legacy Legacy Legacy [$($kind)*] }
            per_pair! { @pair $claim legacy_and_modern Legacy Modern [$($kind)*] }
            per_pair! { @pair $claim modern_and_legacy Modern Legacy [$($kind)*] }
            per_pair! { @pair $claim both_modern Modern Modern [$($kind)*] }
        }
        per_pair! { [$($kind)*] $($more)* }
    };
    (@pair $claim:ident $pair:ident $one:ident $two:ident [$($kind:ident)*]) => {
        mod $pair {
            $(#[tokio::test]
            async fn $kind() {
                use crate::two_clients::harness::Era;
                let eras = [Era::$one, Era::$two];
                super::super::$claim(per_pair! { @kind $kind }, eras).await;
            })*
        }
    };
    (@kind legacy) => { testkit::upstream::Kind::Legacy };
    (@kind modern) => { testkit::upstream::Kind::Modern };
    (@kind http_sse) => { testkit::upstream::Kind::HttpSse };
    ($($claim:ident)*) => {
        per_pair! { [legacy modern http_sse] $($claim)* }
    };
}

mod departures;
mod harness;
mod ids;
mod leaving;
mod logs;
mod notified;
mod profiles;
mod requests;
mod server_requests;
mod subscriptions;
mod tasks;
mod unread;
