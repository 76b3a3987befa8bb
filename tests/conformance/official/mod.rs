//! The official SDK on both sides of the proxy, in every pairing of eras. The client receives what
//! it would receive without a proxy.
//!
//! The server is the example `everything`. A legacy server supports the revisions up to 2025-11-25.
//! A server of both eras is used as a modern one, which each test asserts at its end.

// Logging, sampling, roots and resource subscriptions are deprecated. They are tested because
// supported revisions have them.
#![allow(deprecated)]

mod call_notifications;
mod cancellation;
mod change_notifications;
#[path = "../../../examples/everything/server/mod.rs"]
mod everything;
mod prompts;
mod recording_client;
mod resources;
mod server_requests;
mod session;
mod tools;

/// Generates four tests of each function, one per pairing.
macro_rules! in_each_pairing {
    ($($proves:ident)*) => {$(
        mod $proves {
            use crate::pairing::Pairing;

            #[tokio::test]
            async fn legacy_to_legacy() {
                super::$proves(Pairing::LegacyToLegacy).await;
            }

            #[tokio::test]
            async fn legacy_to_modern() {
                super::$proves(Pairing::LegacyToModern).await;
            }

            #[tokio::test]
            async fn modern_to_legacy() {
                super::$proves(Pairing::ModernToLegacy).await;
            }

            #[tokio::test]
            async fn modern_to_modern() {
                super::$proves(Pairing::ModernToModern).await;
            }
        }
    )*};
}
use in_each_pairing;
