//! The catalog: the listings of all upstreams, merged.
//!
//! A *listing* is the tools, prompts and resources that one upstream offers. The *catalog* is all
//! listings, filtered, under unique names. It is an immutable snapshot: readers hold one and never
//! wait. Merging is pure; the `updater` task publishes a new [`CatalogView`] when a listing changes.

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
