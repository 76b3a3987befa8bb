//! The official SDK on both sides of the proxy, in every pairing of eras: its client finds at its
//! server what it would find there without a proxy between.
//!
//! The server is the example `everything`. A legacy server speaks the revisions up to 2025-11-25; one
//! of both eras is spoken to as a modern one, which each test asserts at its end.

// Logging, sampling, roots and subscriptions to one resource are deprecated, and tested because the
// revisions that have them are still spoken.
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

/// Makes of each function, which takes a pairing, one test a pairing.
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
