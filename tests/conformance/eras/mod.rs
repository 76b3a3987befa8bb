//! The proxy detects the era of each upstream, and serves clients of both eras.

mod detection;
mod pairings;
mod transport_choice;
mod versions;

use testkit::raw::Request;

/// The requests of a server in order: the HTTP method and the JSON-RPC method.
fn methods_of(requests: &[Request]) -> Vec<String> {
    let methods = requests.iter().map(|request| {
        let text = format!("{} {}", request.method, request.rpc_method());
        text.trim_end().to_owned()
    });
    methods.collect()
}
