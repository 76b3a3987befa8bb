//! An SDK client that declares all capabilities, responds to every server request, and records it.

use rmcp::model::{
    ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ListRootsResult, LoggingMessageNotification, LoggingMessageNotificationParam,
    ProgressNotification, ProgressNotificationParam, PromptListChangedNotification,
    ResourceUpdatedNotification, ResourceUpdatedNotificationParam, ServerNotification,
    ToolListChangedNotification,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::official::session::from_json;

/// Messages that the client has received.
#[derive(Default)]
pub(crate) struct Received {
    /// The parameters of the server requests.
    pub(crate) server_requests: Vec<Value>,
    pub(crate) notifications: Vec<ServerNotification>,
}

/// The recording client.
#[derive(Default)]
pub(crate) struct RecordingClient {
    pub(crate) received: watch::Sender<Received>,
}

impl RecordingClient {
    /// Waits for a notification that `is_expected` accepts, past ones included.
    pub(crate) async fn receive(
        &self,
        is_expected: impl Fn(&ServerNotification) -> bool,
    ) -> ServerNotification {
        let mut found = None;
        let received = &mut self.received.subscribe();
        let waited = received.wait_for(|received| {
            found = received
                .notifications
                .iter()
                .find(|received| is_expected(received))
                .cloned();
            found.is_some()
        });
        drop(waited.await.unwrap());
        found.unwrap()
    }

    /// Removes the recorded notifications that `is_unwanted` accepts.
    pub(crate) fn forget(&self, is_unwanted: impl Fn(&ServerNotification) -> bool) {
        self.received.send_modify(|received| {
            received
                .notifications
                .retain(|received| !is_unwanted(received));
        });
    }

    fn record(&self, notification: ServerNotification) {
        self.received
            .send_modify(|received| received.notifications.push(notification));
    }

    fn record_request(&self, params: &impl serde::Serialize) {
        let params = json!(params);
        self.received
            .send_modify(|received| received.server_requests.push(params));
    }
}

impl ClientHandler for RecordingClient {
    fn get_info(&self) -> ClientConfig {
        from_json(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}},
            "clientInfo": {"name": "recording", "version": "1"},
        }))
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.record_request(&params);
        let params = json!(params);
        // A value of the right type for each property.
        let properties = params["requestedSchema"]["properties"].as_object().unwrap();
        let answer = |schema: &Value| match schema["type"].as_str() {
            Some("boolean") => json!(true),
            Some("integer" | "number") => json!(7),
            Some("array") => json!(["option1"]),
            _ => json!("Ünal"),
        };
        let content: serde_json::Map<_, _> = properties
            .iter()
            .map(|(name, schema)| (name.clone(), answer(schema)))
            .collect();
        let action = match params["message"] == "No, thank you" {
            true => return Ok(from_json(json!({"action": "decline"}))),
            false => "accept",
        };
        Ok(from_json(json!({"action": action, "content": content})))
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.record_request(&params);
        let content = json!({"type": "text", "text": "Paris"});
        Ok(from_json(
            json!({"role": "assistant", "content": content, "model": "m", "stopReason": "endTurn"}),
        ))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        self.record_request(&"roots");
        Ok(from_json(
            json!({"roots": [{"uri": "file:///a b", "name": "root"}]}),
        ))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.record(ServerNotification::ProgressNotification(
            ProgressNotification::new(params),
        ));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.record(ServerNotification::LoggingMessageNotification(
            LoggingMessageNotification::new(params),
        ));
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.record(ServerNotification::ResourceUpdatedNotification(
            ResourceUpdatedNotification::new(params),
        ));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.record(ServerNotification::ToolListChangedNotification(
            ToolListChangedNotification::default(),
        ));
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.record(ServerNotification::PromptListChangedNotification(
            PromptListChangedNotification::default(),
        ));
    }
}
