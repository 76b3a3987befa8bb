//! The proxy finds out what era each upstream is of, and joins it to a client of either.

mod detection;
mod pairings;
mod transport_choice;
mod versions;

use testkit::raw::Request;

/// What was asked of a server, in order: the HTTP method, and what the body asks for.
fn methods_of(requests: &[Request]) -> Vec<String> {
    let methods = requests.iter().map(|request| {
        let text = format!("{} {}", request.method, request.rpc_method());
        text.trim_end().to_owned()
    });
    methods.collect()
}
