//! The part of the table that says what reaches a server.

use crate::schema::table::{
    ANY, always, asks_of_legacy, at_legacy, at_modern, probed, rows, sends_of_legacy,
    tasks_at_both, tasks_at_upstream,
};

rows! {
    Upstream {
        // How we meet an upstream.
        "server/discover" => "DiscoverRequest", probed;
        "initialize" => "InitializeRequest", at_legacy;
        "notifications/initialized" => "InitializedNotification", at_legacy;
        "subscriptions/listen" => "SubscriptionsListenRequest", at_modern;
        "tools/list" => "ListToolsRequest", always;
        "tools/list of a page" => "ListToolsRequest", always;
        "prompts/list" => "ListPromptsRequest", always;
        "prompts/list of a page" => "ListPromptsRequest", always;
        "resources/list" => "ListResourcesRequest", always;
        "resources/list of a page" => "ListResourcesRequest", always;
        "resources/templates/list" => "ListResourceTemplatesRequest", always;
        "resources/templates/list of a page" => "ListResourceTemplatesRequest", always;
        // What the client asks, in the upstream's era.
        "tools/call" => "CallToolRequest", always;
        "tools/call again" => "CallToolRequest", at_modern;
        "prompts/get" => "GetPromptRequest", always;
        "resources/subscribe" => "SubscribeRequest", at_legacy;
        "resources/unsubscribe" => "UnsubscribeRequest", at_legacy;
        "resources/read" => "ReadResourceRequest", always;
        "completion/complete" => "CompleteRequest", always;
        "tools/call as a task" => "CallToolRequest", tasks_at_upstream;
        "tasks/get" => "GetTaskRequest", tasks_at_upstream;
        "tasks/result" => "GetTaskPayloadRequest", tasks_at_upstream;
        "tasks/cancel" => "CancelTaskRequest", tasks_at_upstream;
        "tasks/list" => "ListTasksRequest", tasks_at_both;
        "notifications/cancelled" => "CancelledNotification", at_legacy;
        // What it answers.
        "result of ping" => "EmptyResult", at_legacy;
        "result of sampling/createMessage" => "CreateMessageResult", at_legacy;
        "result of roots/list" => "ListRootsResult", at_legacy;
        "result of elicitation/create" => "ElicitResult", asks_of_legacy;
        "result of elicitation/create by url" => "ElicitResult", sends_of_legacy;
        "error -32601" => ANY, at_legacy;
    }
}
