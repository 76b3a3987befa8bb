//! What all upstreams offer, merged: the catalog.
//!
//! A *listing* is what one upstream offers; the *catalog* is all listings, filtered, under names
//! that are unique. It is an immutable snapshot: readers hold one and never wait.

mod updater;
mod uri_routing;
mod view;

pub mod instructions;
mod items;
mod merge;
pub mod name;

pub use items::{Items, Owner};
pub use merge::{Catalog, Route, Source};
pub use updater::{CatalogUpdater, wait_for_listings_of};
pub use uri_routing::{UriRoute, route_uri};
pub use view::{CatalogView, wait_for_initial_listing, wait_for_live_listing};
