//! Rows of the table: messages to the client.

use crate::schema::table::{
    ANY, always, both_have_tasks, client_2025_11_25, client_before_2025_11_25, legacy_client,
    legacy_client_elicited, legacy_client_gets_urls, modern_client, modern_client_elicited,
    modern_client_gets_urls, modern_upstream, rows,
};

rows! {
    Client {
        // Responses of the proxy itself.
        "result of initialize" => "InitializeResult", legacy_client;
        "result of server/discover" => "DiscoverResult", modern_client;
        "result of ping" => "EmptyResult", legacy_client;
        "result of tools/list" => "ListToolsResult", always;
        "result of prompts/list" => "ListPromptsResult", always;
        "result of resources/list" => "ListResourcesResult", always;
        "result of resources/templates/list" => "ListResourceTemplatesResult", always;
        // Responses of upstreams, in the client's era.
        "result of tools/call" => "CallToolResult", always;
        "result of prompts/get" => "GetPromptResult", always;
        "result of resources/read" => "ReadResourceResult", always;
        "result of completion/complete" => "CompleteResult", always;
        // Errors.
        "error -32700" => "ParseError", modern_client;
        "error -32700" => "Error", client_2025_11_25;
        "error -32600" => "InvalidRequestError", modern_client;
        "error -32600" => "Error", client_2025_11_25;
        "error -32600" => ANY, client_before_2025_11_25;
        "error -32601" => "MethodNotFoundError", modern_client;
        "error -32601" => ANY, legacy_client;
        "error -32602" => "InvalidParamsError", modern_client;
        "error -32602" => ANY, legacy_client;
        "error -32022" => "UnsupportedProtocolVersionError", modern_client;
        "error -31005" => ANY, always;
        "error -31006" => ANY, |pair| legacy_client(pair) && modern_upstream(pair);
        // Server requests.
        "sampling/createMessage" => "CreateMessageRequest", legacy_client;
        "roots/list" => "ListRootsRequest", legacy_client;
        "elicitation/create" => "ElicitRequest", legacy_client_elicited;
        "elicitation/create by url" => "ElicitRequest", legacy_client_gets_urls;
        "elicitation/create by url" => "ElicitRequestURLParams", legacy_client_gets_urls;
        "result of tools/call that requires input" => "InputRequiredResult", modern_client;
        "input request: sampling/createMessage" => "CreateMessageRequest", modern_client;
        "input request: roots/list" => "ListRootsRequest", modern_client;
        "input request: elicitation/create" => "ElicitRequestFormParams", modern_client_elicited;
        "input request: elicitation/create by url" => "ElicitRequestURLParams", modern_client_gets_urls;
        // Notifications. A modern client receives them with a subscription id.
        "notifications/tools/list_changed" => "ToolListChangedNotification", always;
        "notifications/tools/list_changed" => "RequestId", modern_client;
        "notifications/prompts/list_changed" => "PromptListChangedNotification", always;
        "notifications/prompts/list_changed" => "RequestId", modern_client;
        "notifications/resources/list_changed" => "ResourceListChangedNotification", always;
        "notifications/resources/list_changed" => "RequestId", modern_client;
        "notifications/resources/updated" => "ResourceUpdatedNotification", always;
        "notifications/resources/updated" => "RequestId", modern_client;
        "notifications/subscriptions/acknowledged" => "SubscriptionsAcknowledgedNotification", modern_client;
        "notifications/subscriptions/acknowledged" => "RequestId", modern_client;
        "result of subscriptions/listen" => "SubscriptionsListenResult", modern_client;
        "result of resources/subscribe" => "EmptyResult", legacy_client;
        "result of resources/unsubscribe" => "EmptyResult", legacy_client;
        "notifications/cancelled" => "CancelledNotification", always;
        // Tasks.
        "result of tools/call as a task" => "CreateTaskResult", both_have_tasks;
        "result of tasks/get" => "GetTaskResult", both_have_tasks;
        "result of tasks/result" => "CallToolResult", both_have_tasks;
        "result of tasks/cancel" => "CancelTaskResult", both_have_tasks;
        "result of tasks/list" => "ListTasksResult", both_have_tasks;
    }
}
