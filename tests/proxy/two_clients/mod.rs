//! Two clients of one proxy process: messages of one client never reach the other.

/// Makes one test of each function for each kind of server and each pair of client eras.
///
/// The kinds are all, or those in brackets. A function takes the kind and the two eras.
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

mod disconnects;
mod harness;
mod logs;
mod notifications;
mod profiles;
mod request_ids;
mod server_requests;
mod stalled;
mod subscriptions;
mod tasks;
