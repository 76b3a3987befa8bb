//! The part of the table that says what reaches the client.

use crate::schema::table::{
    ANY, always, asks_legacy, asks_modern, at_modern, rows, sends_legacy, sends_modern,
    tasks_at_both, to_2025_11_25, to_earlier, to_legacy, to_modern,
};

rows! {
    Client {
        // What we answer ourselves.
        "result of initialize" => "InitializeResult", to_legacy;
        "result of server/discover" => "DiscoverResult", to_modern;
        "result of ping" => "EmptyResult", to_legacy;
        "result of tools/list" => "ListToolsResult", always;
        "result of prompts/list" => "ListPromptsResult", always;
        "result of resources/list" => "ListResourcesResult", always;
        "result of resources/templates/list" => "ListResourceTemplatesResult", always;
        // What upstreams answer, in the client's era.
        "result of tools/call" => "CallToolResult", always;
        "result of prompts/get" => "GetPromptResult", always;
        "result of resources/read" => "ReadResourceResult", always;
        "result of completion/complete" => "CompleteResult", always;
        // Errors.
        "error -32700" => "ParseError", to_modern;
        "error -32700" => "Error", to_2025_11_25;
        "error -32600" => "InvalidRequestError", to_modern;
        "error -32600" => "Error", to_2025_11_25;
        "error -32600" => ANY, to_earlier;
        "error -32601" => "MethodNotFoundError", to_modern;
        "error -32601" => ANY, to_legacy;
        "error -32602" => "InvalidParamsError", to_modern;
        "error -32602" => ANY, to_legacy;
        "error -32022" => "UnsupportedProtocolVersionError", to_modern;
        "error -31005" => ANY, always;
        "error -31006" => ANY, |pair| to_legacy(pair) && at_modern(pair);
        // What upstreams ask.
        "sampling/createMessage" => "CreateMessageRequest", to_legacy;
        "roots/list" => "ListRootsRequest", to_legacy;
        "elicitation/create" => "ElicitRequest", asks_legacy;
        "elicitation/create by url" => "ElicitRequest", sends_legacy;
        "elicitation/create by url" => "ElicitRequestURLParams", sends_legacy;
        "result of tools/call that asks" => "InputRequiredResult", to_modern;
        "asked in a result: sampling/createMessage" => "CreateMessageRequest", to_modern;
        "asked in a result: roots/list" => "ListRootsRequest", to_modern;
        "asked in a result: elicitation/create" => "ElicitRequestFormParams", asks_modern;
        "asked in a result: elicitation/create by url" => "ElicitRequestURLParams", sends_modern;
        // What the client hears unasked: in the modern era on a subscription, and tagged.
        "notifications/tools/list_changed" => "ToolListChangedNotification", always;
        "notifications/tools/list_changed" => "RequestId", to_modern;
        "notifications/prompts/list_changed" => "PromptListChangedNotification", always;
        "notifications/prompts/list_changed" => "RequestId", to_modern;
        "notifications/resources/list_changed" => "ResourceListChangedNotification", always;
        "notifications/resources/list_changed" => "RequestId", to_modern;
        "notifications/resources/updated" => "ResourceUpdatedNotification", always;
        "notifications/resources/updated" => "RequestId", to_modern;
        "notifications/subscriptions/acknowledged" => "SubscriptionsAcknowledgedNotification", to_modern;
        "notifications/subscriptions/acknowledged" => "RequestId", to_modern;
        "result of subscriptions/listen" => "SubscriptionsListenResult", to_modern;
        "result of resources/subscribe" => "EmptyResult", to_legacy;
        "result of resources/unsubscribe" => "EmptyResult", to_legacy;
        "notifications/cancelled" => "CancelledNotification", always;
        // Tasks.
        "result of tools/call as a task" => "CreateTaskResult", tasks_at_both;
        "result of tasks/get" => "GetTaskResult", tasks_at_both;
        "result of tasks/result" => "CallToolResult", tasks_at_both;
        "result of tasks/cancel" => "CancelTaskResult", tasks_at_both;
        "result of tasks/list" => "ListTasksResult", tasks_at_both;
    }
}
