//! Prompts, resources and resource templates.
//!
//! The proxy merges the listings of all upstreams, without filtered items. It forwards `get`, `read`
//! and `complete` requests to the upstream that has the item.

mod changes;
mod completion;
mod filters;
mod listing;
mod prompts;
mod read_forwarding;
mod read_routing;

use testkit::proxy::Client;
use testkit::raw::Request;
use testkit::upstream::Builder;

/// The capabilities of a server with tools, prompts and resources that sends list changes.
const CAPABILITIES: &str =
    r#"{"tools":{},"prompts":{"listChanged":true},"resources":{"listChanged":true}}"#;

/// The list methods, each with the member of its result and the key of an item.
const LISTS: [(&str, &str, &str); 3] = [
    ("prompts/list", "prompts", "name"),
    ("resources/list", "resources", "uri"),
    (
        "resources/templates/list",
        "resourceTemplates",
        "uriTemplate",
    ),
];

/// Declares prompts and resources, and lists no items.
fn with_empty_lists(builder: Builder) -> Builder {
    builder
        .capabilities(CAPABILITIES)
        .offers("prompts", [])
        .offers("resources", [])
        .offers("resourceTemplates", [])
}

/// The line of a response with this JSON `id` and `result`.
fn result_line(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// The response to `request` with this JSON `error`.
fn error_response(request: &Request, error: &str) -> Vec<u8> {
    let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// Lists items as a legacy client and returns the JSON array.
async fn list_items(client: &mut Client, (method, member, _): (&str, &str, &str)) -> String {
    let answer = client.exchange_request(method, "{}").await;
    let head = format!(r#"{{"jsonrpc":"2.0","id":"{method}","result":{{"{member}":"#);
    let list = answer
        .strip_prefix(&head)
        .and_then(|a| a.strip_suffix("}}"));
    list.unwrap_or_else(|| panic!("not a listing: {answer}"))
        .to_owned()
}
