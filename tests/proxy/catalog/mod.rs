//! The catalog: the tools of all upstreams, filtered, in order, under stable names.

mod changes;
mod definitions;
mod listing;
mod names;

use testkit::raw::Request;

/// The number of `requests` with `method`.
fn count(requests: &[Request], method: &str) -> usize {
    let matching = requests.iter().filter(|request| request.is(method));
    matching.count()
}
