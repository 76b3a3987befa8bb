//! What the client is shown: the tools of all upstreams, filtered, in order, under stable names.

mod changes;
mod definitions;
mod listing;
mod names;

use testkit::raw::Request;

/// How many of `requests` ask for `method`.
fn count(requests: &[Request], method: &str) -> usize {
    let asks = requests.iter().filter(|request| request.is(method));
    asks.count()
}
