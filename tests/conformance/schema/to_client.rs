//! The part of the table that says what reaches the client.

use crate::schema::revision::Pair;
use crate::schema::table::{
    ANY, Row, Side, always, asks_legacy, asks_modern, at_modern, sends_legacy, sends_modern,
    tasks_at_both, to_2025_11_25, to_earlier, to_legacy, to_modern,
};

const fn to(label: &'static str, definition: &'static str, when: fn(Pair) -> bool) -> Row {
    Row {
        side: Side::Client,
        label,
        definition,
        when,
    }
}

/// All of it.
pub(crate) const ROWS: &[Row] = &[
    // What we answer ourselves.
    to("result of initialize", "InitializeResult", to_legacy),
    to("result of server/discover", "DiscoverResult", to_modern),
    to("result of ping", "EmptyResult", to_legacy),
    to("result of tools/list", "ListToolsResult", always),
    to("result of prompts/list", "ListPromptsResult", always),
    to("result of resources/list", "ListResourcesResult", always),
    to(
        "result of resources/templates/list",
        "ListResourceTemplatesResult",
        always,
    ),
    // What upstreams answer, in the client's era.
    to("result of tools/call", "CallToolResult", always),
    to("result of prompts/get", "GetPromptResult", always),
    to("result of resources/read", "ReadResourceResult", always),
    to("result of completion/complete", "CompleteResult", always),
    // Errors.
    to("error -32700", "ParseError", to_modern),
    to("error -32700", "Error", to_2025_11_25),
    to("error -32600", "InvalidRequestError", to_modern),
    to("error -32600", "Error", to_2025_11_25),
    to("error -32600", ANY, to_earlier),
    to("error -32601", "MethodNotFoundError", to_modern),
    to("error -32601", ANY, to_legacy),
    to("error -32602", "InvalidParamsError", to_modern),
    to("error -32602", ANY, to_legacy),
    to("error -32022", "UnsupportedProtocolVersionError", to_modern),
    to("error -31005", ANY, always),
    to("error -31006", ANY, |pair| {
        to_legacy(pair) && at_modern(pair)
    }),
    // What upstreams ask.
    to("sampling/createMessage", "CreateMessageRequest", to_legacy),
    to("roots/list", "ListRootsRequest", to_legacy),
    to("elicitation/create", "ElicitRequest", asks_legacy),
    to("elicitation/create by url", "ElicitRequest", sends_legacy),
    to(
        "elicitation/create by url",
        "ElicitRequestURLParams",
        sends_legacy,
    ),
    to(
        "result of tools/call that asks",
        "InputRequiredResult",
        to_modern,
    ),
    to(
        "asked in a result: sampling/createMessage",
        "CreateMessageRequest",
        to_modern,
    ),
    to(
        "asked in a result: roots/list",
        "ListRootsRequest",
        to_modern,
    ),
    to(
        "asked in a result: elicitation/create",
        "ElicitRequestFormParams",
        asks_modern,
    ),
    to(
        "asked in a result: elicitation/create by url",
        "ElicitRequestURLParams",
        sends_modern,
    ),
    // What the client hears unasked: in the modern era on a subscription, and tagged.
    to(
        "notifications/tools/list_changed",
        "ToolListChangedNotification",
        always,
    ),
    to("notifications/tools/list_changed", "RequestId", to_modern),
    to(
        "notifications/prompts/list_changed",
        "PromptListChangedNotification",
        always,
    ),
    to("notifications/prompts/list_changed", "RequestId", to_modern),
    to(
        "notifications/resources/list_changed",
        "ResourceListChangedNotification",
        always,
    ),
    to(
        "notifications/resources/list_changed",
        "RequestId",
        to_modern,
    ),
    to(
        "notifications/resources/updated",
        "ResourceUpdatedNotification",
        always,
    ),
    to("notifications/resources/updated", "RequestId", to_modern),
    to(
        "notifications/subscriptions/acknowledged",
        "SubscriptionsAcknowledgedNotification",
        to_modern,
    ),
    to(
        "notifications/subscriptions/acknowledged",
        "RequestId",
        to_modern,
    ),
    to(
        "result of subscriptions/listen",
        "SubscriptionsListenResult",
        to_modern,
    ),
    to("result of resources/subscribe", "EmptyResult", to_legacy),
    to("result of resources/unsubscribe", "EmptyResult", to_legacy),
    to("notifications/cancelled", "CancelledNotification", always),
    // Tasks.
    to(
        "result of tools/call as a task",
        "CreateTaskResult",
        tasks_at_both,
    ),
    to("result of tasks/get", "GetTaskResult", tasks_at_both),
    to("result of tasks/result", "CallToolResult", tasks_at_both),
    to("result of tasks/cancel", "CancelTaskResult", tasks_at_both),
    to("result of tasks/list", "ListTasksResult", tasks_at_both),
];
