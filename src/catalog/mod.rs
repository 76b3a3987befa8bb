//! What all upstreams offer, merged: the catalog.
//!
//! A *listing* is what one upstream offers; the *catalog* is all listings, filtered, under names
//! that are unique. It is an immutable snapshot: readers hold one and never wait.

pub mod instructions;
mod items;
mod keeper;
mod merge;
pub mod name;
mod reach;

pub use items::{Items, Owner};
pub use keeper::{Keeper, View, heard};
pub use merge::{Catalog, Route, Source};
pub use reach::{Reach, reach};
