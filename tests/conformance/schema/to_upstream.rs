//! Rows of the table: messages to a server.

use crate::schema::table::{
    ANY, always, both_have_tasks, legacy_upstream, legacy_upstream_elicits,
    legacy_upstream_sends_urls, modern_upstream, probed_upstream, rows, upstream_has_tasks,
};

rows! {
    Upstream {
        // Handshake and listings.
        "server/discover" => "DiscoverRequest", probed_upstream;
        "initialize" => "InitializeRequest", legacy_upstream;
        "notifications/initialized" => "InitializedNotification", legacy_upstream;
        "subscriptions/listen" => "SubscriptionsListenRequest", modern_upstream;
        "tools/list" => "ListToolsRequest", always;
        "tools/list of a page" => "ListToolsRequest", always;
        "prompts/list" => "ListPromptsRequest", always;
        "prompts/list of a page" => "ListPromptsRequest", always;
        "resources/list" => "ListResourcesRequest", always;
        "resources/list of a page" => "ListResourcesRequest", always;
        "resources/templates/list" => "ListResourceTemplatesRequest", always;
        "resources/templates/list of a page" => "ListResourceTemplatesRequest", always;
        // Requests of the client, in the upstream's era.
        "tools/call" => "CallToolRequest", always;
        "tools/call again" => "CallToolRequest", modern_upstream;
        "prompts/get" => "GetPromptRequest", always;
        "resources/subscribe" => "SubscribeRequest", legacy_upstream;
        "resources/unsubscribe" => "UnsubscribeRequest", legacy_upstream;
        "resources/read" => "ReadResourceRequest", always;
        "completion/complete" => "CompleteRequest", always;
        "tools/call as a task" => "CallToolRequest", upstream_has_tasks;
        "tasks/get" => "GetTaskRequest", upstream_has_tasks;
        "tasks/result" => "GetTaskPayloadRequest", upstream_has_tasks;
        "tasks/cancel" => "CancelTaskRequest", upstream_has_tasks;
        "tasks/list" => "ListTasksRequest", both_have_tasks;
        "notifications/cancelled" => "CancelledNotification", legacy_upstream;
        // Responses of the client.
        "result of ping" => "EmptyResult", legacy_upstream;
        "result of sampling/createMessage" => "CreateMessageResult", legacy_upstream;
        "result of roots/list" => "ListRootsResult", legacy_upstream;
        "result of elicitation/create" => "ElicitResult", legacy_upstream_elicits;
        "result of elicitation/create by url" => "ElicitResult", legacy_upstream_sends_urls;
        "error -32601" => ANY, legacy_upstream;
    }
}
