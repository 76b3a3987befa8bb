//! The table: every message of the scene, whom it reaches, and the definition it is checked by.

use crate::table::Side::{Client, Upstream};
use crate::table::*;

/// All of them.
pub(crate) const ROWS: &[Row] = &[
    // What we answer ourselves.
    row(
        Client,
        "result of initialize",
        "InitializeResult",
        to_legacy,
    ),
    row(
        Client,
        "result of server/discover",
        "DiscoverResult",
        to_modern,
    ),
    row(Client, "result of ping", "EmptyResult", always),
    row(Client, "result of tools/list", "ListToolsResult", always),
    row(
        Client,
        "result of prompts/list",
        "ListPromptsResult",
        always,
    ),
    row(
        Client,
        "result of resources/list",
        "ListResourcesResult",
        always,
    ),
    row(
        Client,
        "result of resources/templates/list",
        "ListResourceTemplatesResult",
        always,
    ),
    // What upstreams answer, in the client's era.
    row(Client, "result of tools/call", "CallToolResult", always),
    row(Client, "result of prompts/get", "GetPromptResult", always),
    row(
        Client,
        "result of resources/read",
        "ReadResourceResult",
        always,
    ),
    row(
        Client,
        "result of completion/complete",
        "CompleteResult",
        always,
    ),
    // Errors.
    row(Client, "error -32700", "ParseError", to_modern),
    row(Client, "error -32700", "Error", to_2025_11_25),
    row(Client, "error -32600", "InvalidRequestError", to_modern),
    row(Client, "error -32600", "Error", to_2025_11_25),
    row(Client, "error -32600", ANY, to_earlier),
    row(Client, "error -32601", "MethodNotFoundError", to_modern),
    row(Client, "error -32601", ANY, to_legacy),
    row(Client, "error -32602", "InvalidParamsError", to_modern),
    row(Client, "error -32602", ANY, to_legacy),
    row(
        Client,
        "error -32022",
        "UnsupportedProtocolVersionError",
        to_modern,
    ),
    row(Client, "error -31005", ANY, always),
    row(Client, "error -31006", ANY, |pair| {
        to_legacy(pair) && at_modern(pair)
    }),
    // What upstreams ask.
    row(
        Client,
        "sampling/createMessage",
        "CreateMessageRequest",
        to_legacy,
    ),
    row(Client, "roots/list", "ListRootsRequest", to_legacy),
    row(Client, "elicitation/create", "ElicitRequest", asks_legacy),
    row(
        Client,
        "elicitation/create by url",
        "ElicitRequest",
        sends_legacy,
    ),
    row(
        Client,
        "elicitation/create by url",
        "ElicitRequestURLParams",
        sends_legacy,
    ),
    row(
        Client,
        "result of tools/call that asks",
        "InputRequiredResult",
        to_modern,
    ),
    row(
        Client,
        "asked in a result: sampling/createMessage",
        "CreateMessageRequest",
        to_modern,
    ),
    row(
        Client,
        "asked in a result: roots/list",
        "ListRootsRequest",
        to_modern,
    ),
    row(
        Client,
        "asked in a result: elicitation/create",
        "ElicitRequestFormParams",
        asks_modern,
    ),
    row(
        Client,
        "asked in a result: elicitation/create by url",
        "ElicitRequestURLParams",
        sends_modern,
    ),
    // What the client hears unasked.
    row(
        Client,
        "notifications/tools/list_changed",
        "ToolListChangedNotification",
        to_legacy,
    ),
    row(
        Client,
        "notifications/prompts/list_changed",
        "PromptListChangedNotification",
        to_legacy,
    ),
    row(
        Client,
        "notifications/resources/list_changed",
        "ResourceListChangedNotification",
        to_legacy,
    ),
    row(
        Client,
        "notifications/cancelled",
        "CancelledNotification",
        to_legacy,
    ),
    // How we meet an upstream.
    row(Upstream, "server/discover", "DiscoverRequest", probed),
    row(Upstream, "initialize", "InitializeRequest", at_legacy),
    row(
        Upstream,
        "notifications/initialized",
        "InitializedNotification",
        at_legacy,
    ),
    row(
        Upstream,
        "subscriptions/listen",
        "SubscriptionsListenRequest",
        at_modern,
    ),
    row(Upstream, "tools/list", "ListToolsRequest", always),
    row(Upstream, "tools/list of a page", "ListToolsRequest", always),
    row(Upstream, "prompts/list", "ListPromptsRequest", always),
    row(
        Upstream,
        "prompts/list of a page",
        "ListPromptsRequest",
        always,
    ),
    row(Upstream, "resources/list", "ListResourcesRequest", always),
    row(
        Upstream,
        "resources/list of a page",
        "ListResourcesRequest",
        always,
    ),
    row(
        Upstream,
        "resources/templates/list",
        "ListResourceTemplatesRequest",
        always,
    ),
    row(
        Upstream,
        "resources/templates/list of a page",
        "ListResourceTemplatesRequest",
        always,
    ),
    // What the client asks, in the upstream's era.
    row(Upstream, "tools/call", "CallToolRequest", always),
    row(Upstream, "tools/call again", "CallToolRequest", at_modern),
    row(Upstream, "prompts/get", "GetPromptRequest", always),
    row(Upstream, "resources/read", "ReadResourceRequest", always),
    row(Upstream, "completion/complete", "CompleteRequest", always),
    row(
        Upstream,
        "notifications/cancelled",
        "CancelledNotification",
        at_legacy,
    ),
    // What it answers.
    row(Upstream, "result of ping", "EmptyResult", at_legacy),
    row(
        Upstream,
        "result of sampling/createMessage",
        "CreateMessageResult",
        at_legacy,
    ),
    row(
        Upstream,
        "result of roots/list",
        "ListRootsResult",
        at_legacy,
    ),
    row(
        Upstream,
        "result of elicitation/create",
        "ElicitResult",
        asks_of_legacy,
    ),
    row(
        Upstream,
        "result of elicitation/create by url",
        "ElicitResult",
        sends_of_legacy,
    ),
    row(Upstream, "error -32601", ANY, at_legacy),
];
