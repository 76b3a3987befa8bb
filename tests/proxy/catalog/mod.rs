//! The catalog: the tools of all upstreams, filtered, in order, under stable names.

mod changes;
mod definitions;
mod listing;
mod names;
