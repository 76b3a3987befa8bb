//! Prompts, resources and resource templates: listed from every upstream that has them, and
//! asked for at the one whose they are, unless a filter keeps them out.

mod changes;
mod completion;
mod filters;
mod listing;
mod prompts;
mod reading;
mod resources;

use testkit::proxy::Client;
use testkit::raw::Request;
use testkit::upstream::{Builder, Upstream};

/// The capabilities of a server that has everything and announces its changes.
const ALL: &str = r#"{"tools":{},"prompts":{"listChanged":true},"resources":{"listChanged":true}}"#;

/// What can be listed: the method, the member of its result, and the key of each item.
const LISTS: [(&str, &str, &str); 3] = [
    ("prompts/list", "prompts", "name"),
    ("resources/list", "resources", "uri"),
    (
        "resources/templates/list",
        "resourceTemplates",
        "uriTemplate",
    ),
];

/// A server that declares prompts and resources and lists none yet.
fn offering(builder: Builder) -> Builder {
    builder
        .capabilities(ALL)
        .offers("prompts", [])
        .offers("resources", [])
        .offers("resourceTemplates", [])
}

/// The line of a request; `id` and `params` are JSON.
fn line(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The line that carries a result, JSON.
fn result_line(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// A whole answer to `request` with this error, JSON.
fn error_to(request: &Request, error: &str) -> Vec<u8> {
    let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// Sends a request and gives the line that answers it.
async fn exchange(client: &mut Client, method: &str, params: &str) -> String {
    let id = format!(r#""{method}""#);
    let answer = client.exchange(line(&id, method, params), &id).await;
    String::from_utf8(answer).unwrap()
}

/// What a legacy client gets when it lists: the JSON array.
async fn listed(client: &mut Client, (method, member, _): (&str, &str, &str)) -> String {
    let answer = exchange(client, method, "{}").await;
    let head = format!(r#"{{"jsonrpc":"2.0","id":"{method}","result":{{"{member}":"#);
    let list = answer
        .strip_prefix(&head)
        .and_then(|a| a.strip_suffix("}}"));
    list.unwrap_or_else(|| panic!("no listing: {answer}"))
        .to_owned()
}

/// The requests of this method that came to a server so far.
fn asked(server: &Upstream, method: &str) -> Vec<Request> {
    let mut requests = server.raw.requests();
    requests.retain(|request| request.is(method));
    requests
}
