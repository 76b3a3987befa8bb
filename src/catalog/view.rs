//! The published catalog, and waiting until it is complete.

use std::sync::Arc;

use tokio::sync::watch;

use super::merge::Catalog;
use crate::upstream::UpstreamSet;

/// A snapshot of the catalog, and how complete it is.
#[derive(Debug, Clone, Default)]
pub struct CatalogView {
    /// The catalog. The `Arc` is replaced only when a tool or its route changes.
    pub catalog: Arc<Catalog>,
    /// The upstreams whose listings are merged: routes lead to these.
    pub upstreams: UpstreamSet,
    /// Whether every upstream has a tool listing, live or cached, or has failed or timed out.
    /// Until then a client's first listing waits.
    pub initial_listing_done: bool,
    /// Whether every upstream has a live tool listing, or has failed or timed out. From then on, a tool
    /// that the catalog lacks does not exist.
    pub live_listing_done: bool,
}

/// Waits until [`CatalogView::initial_listing_done`], for at most `startup_wait`.
pub async fn wait_for_initial_listing(view: &watch::Receiver<CatalogView>) {
    // The usual case, on the path of every call.
    if view.borrow().initial_listing_done {
        return;
    }
    // Fails only when the program ends.
    let _ = view
        .clone()
        .wait_for(|view| view.initial_listing_done)
        .await;
}

/// Waits until [`CatalogView::live_listing_done`], for at most `startup_wait`.
pub async fn wait_for_live_listing(view: &watch::Receiver<CatalogView>) {
    if !view.borrow().live_listing_done {
        let _ = view.clone().wait_for(|view| view.live_listing_done).await;
    }
}
