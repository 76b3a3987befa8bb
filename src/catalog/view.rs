//! The catalog as the rest of the program sees it.

use std::sync::Arc;

use tokio::sync::watch;

use super::merge::Catalog;
use crate::upstream::UpstreamSet;

/// The catalog at one moment, and how much of it is known.
#[derive(Debug, Clone, Default)]
pub struct CatalogView {
    /// The catalog. The same `Arc` as long as it leads to the same tools.
    pub catalog: Arc<Catalog>,
    /// The upstreams that were merged: a route leads to one of these.
    pub upstreams: UpstreamSet,
    /// Whether a listing need not wait: the tools of every upstream are known, from this process or an
    /// earlier one, or the upstream was given up for the moment.
    pub initial_listing_done: bool,
    /// The same, where tools that an earlier process stored do not count: a tool that is not known now is
    /// not there.
    pub live_listing_done: bool,
}

/// Waits, within bounds, until the tools of every upstream are known, from this process or an earlier one.
pub async fn wait_for_initial_listing(view: &watch::Receiver<CatalogView>) {
    // Nearly always, and on the path of every call.
    if view.borrow().initial_listing_done {
        return;
    }
    // Fails when the program ends, and then nothing is waited for any more.
    let _ = view
        .clone()
        .wait_for(|view| view.initial_listing_done)
        .await;
}

/// Waits, within bounds, until this process knows the tools of every upstream from a connection.
pub async fn wait_for_live_listing(view: &watch::Receiver<CatalogView>) {
    if !view.borrow().live_listing_done {
        let _ = view.clone().wait_for(|view| view.live_listing_done).await;
    }
}
