//! The catalog: what all upstreams offer, merged.
//!
//! A *listing* is what one upstream offers. The *catalog* is all listings, filtered, under names
//! that are unique. It is an immutable snapshot: readers hold one and never wait. Merging is pure; the
//! `updater` task publishes a new [`CatalogView`] when a listing has changed.

pub mod instructions;
mod items;
mod merge;
pub mod name;
mod updater;
mod uri_routing;
mod view;

pub use items::{Items, Owner};
pub use merge::{Catalog, MergeInput, Route};
pub use updater::{CatalogUpdater, wait_for_listings};
pub use uri_routing::{UriRoute, route_uri};
pub use view::{CatalogView, wait_for_initial_listing, wait_for_live_listing};
