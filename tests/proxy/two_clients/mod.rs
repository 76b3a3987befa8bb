//! Two clients of one process, over two pairs of streams: nothing of one reaches the other.

/// Makes of each function, which takes a kind of server and the eras of two clients, one test a combination.
macro_rules! per_pair {
    ($($claim:ident)*) => {
        $(mod $claim {
            per_pair! { @pair $claim both_legacy [Legacy Legacy] }
            per_pair! { @pair $claim legacy_and_modern [Legacy Modern] }
            per_pair! { @pair $claim modern_and_legacy [Modern Legacy] }
            per_pair! { @pair $claim both_modern [Modern Modern] }
        })*
    };
    (@pair $claim:ident $pair:ident $eras:tt) => {
        mod $pair {
            per_pair! { @test $claim legacy Legacy $eras }
            per_pair! { @test $claim modern Modern $eras }
            per_pair! { @test $claim http_sse HttpSse $eras }
        }
    };
    (@test $claim:ident $name:ident $kind:ident [$one:ident $two:ident]) => {
        #[tokio::test]
        async fn $name() {
            use crate::two_clients::harness::Era;
            let eras = [Era::$one, Era::$two];
            super::super::$claim(testkit::upstream::Kind::$kind, eras).await;
        }
    };
}

mod harness;
mod ids;
mod leaving;
mod notified;
mod requests;
mod scene;
mod server_requests;
mod tasks;
