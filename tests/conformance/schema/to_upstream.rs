//! The part of the table that says what reaches a server.

use crate::schema::revision::Pair;
use crate::schema::table::{
    ANY, Row, Side, always, asks_of_legacy, at_legacy, at_modern, probed, sends_of_legacy,
    tasks_at_both, tasks_at_upstream,
};

const fn to(label: &'static str, definition: &'static str, when: fn(Pair) -> bool) -> Row {
    Row {
        side: Side::Upstream,
        label,
        definition,
        when,
    }
}

/// All of it.
pub(crate) const ROWS: &[Row] = &[
    // How we meet an upstream.
    to("server/discover", "DiscoverRequest", probed),
    to("initialize", "InitializeRequest", at_legacy),
    to(
        "notifications/initialized",
        "InitializedNotification",
        at_legacy,
    ),
    to(
        "subscriptions/listen",
        "SubscriptionsListenRequest",
        at_modern,
    ),
    to("tools/list", "ListToolsRequest", always),
    to("tools/list of a page", "ListToolsRequest", always),
    to("prompts/list", "ListPromptsRequest", always),
    to("prompts/list of a page", "ListPromptsRequest", always),
    to("resources/list", "ListResourcesRequest", always),
    to("resources/list of a page", "ListResourcesRequest", always),
    to(
        "resources/templates/list",
        "ListResourceTemplatesRequest",
        always,
    ),
    to(
        "resources/templates/list of a page",
        "ListResourceTemplatesRequest",
        always,
    ),
    // What the client asks, in the upstream's era.
    to("tools/call", "CallToolRequest", always),
    to("tools/call again", "CallToolRequest", at_modern),
    to("prompts/get", "GetPromptRequest", always),
    to("resources/subscribe", "SubscribeRequest", at_legacy),
    to("resources/unsubscribe", "UnsubscribeRequest", at_legacy),
    to("resources/read", "ReadResourceRequest", always),
    to("completion/complete", "CompleteRequest", always),
    to("tools/call as a task", "CallToolRequest", tasks_at_upstream),
    to("tasks/get", "GetTaskRequest", tasks_at_upstream),
    to("tasks/result", "GetTaskPayloadRequest", tasks_at_upstream),
    to("tasks/cancel", "CancelTaskRequest", tasks_at_upstream),
    to("tasks/list", "ListTasksRequest", tasks_at_both),
    to(
        "notifications/cancelled",
        "CancelledNotification",
        at_legacy,
    ),
    // What it answers.
    to("result of ping", "EmptyResult", at_legacy),
    to(
        "result of sampling/createMessage",
        "CreateMessageResult",
        at_legacy,
    ),
    to("result of roots/list", "ListRootsResult", at_legacy),
    to(
        "result of elicitation/create",
        "ElicitResult",
        asks_of_legacy,
    ),
    to(
        "result of elicitation/create by url",
        "ElicitResult",
        sends_of_legacy,
    ),
    to("error -32601", ANY, at_legacy),
];
