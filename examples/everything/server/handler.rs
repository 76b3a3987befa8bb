//! The server's handler for the SDK: passes each method to its file.

// Logging, sampling and per-resource subscriptions are deprecated. They are offered because the
// revisions with them are still in use.
#![allow(deprecated)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
    GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::answer::from_json;
use super::changes::{self, Counts};
use super::{definitions, prompts, resources, tools};

/// Serves one session, or one request without a session.
pub(crate) struct Everything {
    versions: &'static [ProtocolVersion],
    pub(crate) sessions: Arc<LocalSessionManager>,
    pub(crate) changes: watch::Sender<Counts>,
    /// The changes before this session.
    seen: Counts,
    // These are std's Mutex: held for one operation, never across an await.
    log_level: Mutex<LoggingLevel>,
    /// The task that notifies this session of changes, by resource.
    subscribed: Mutex<HashMap<String, AbortHandle>>,
}

impl Everything {
    pub(crate) fn new(
        versions: &'static [ProtocolVersion],
        changes: &watch::Sender<Counts>,
        sessions: &Arc<LocalSessionManager>,
    ) -> Self {
        Self {
            versions,
            sessions: sessions.clone(),
            changes: changes.clone(),
            seen: *changes.borrow(),
            log_level: Mutex::new(LoggingLevel::Info),
            subscribed: Mutex::default(),
        }
    }

    /// Returns the minimum log level of the client, if it has one: 2026-07-28 sets it with each request.
    pub(crate) fn log_level(&self, context: &RequestContext<RoleServer>) -> Option<LoggingLevel> {
        let modern = context.meta.protocol_version() >= Some(ProtocolVersion::V_2026_07_28);
        let of_session = *self
            .log_level
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if modern {
            context.meta.log_level()
        } else {
            Some(of_session)
        }
    }

    fn tools(&self) -> Result<Vec<Tool>, ErrorData> {
        from_json(definitions::tools(*self.changes.borrow()))
    }
}

impl ServerHandler for Everything {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.versions)
    }

    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_completions()
            .enable_logging()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("everything", env!("CARGO_PKG_VERSION")))
            .with_instructions("Offers all there is in the protocol")
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools()
            .ok()?
            .into_iter()
            .find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools()?))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        tools::call(self, call, context).await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = definitions::prompts(*self.changes.borrow());
        from_json(json!({"resultType": "complete", "prompts": prompts}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&request, &context)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        prompts::complete(&request.argument.value)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        from_json(json!({"resultType": "complete", "resources": definitions::resources()}))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let templates = definitions::resource_templates();
        from_json(json!({"resultType": "complete", "resourceTemplates": templates}))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&request.uri).map(ReadResourceResponse::Complete)
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let capabilities = self.get_info().capabilities;
        Some(requested.supported_by(&capabilities))
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        changes::listen(self.changes.subscribe(), self.seen, subscription).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let watch_task = changes::watch(self.changes.subscribe(), context.peer);
        let watch_task = match request.uri == changes::WATCHED {
            true => tokio::spawn(watch_task),
            // The other resources never change.
            false => return Ok(()),
        };
        let subscribed = &mut self
            .subscribed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = subscribed.insert(request.uri, watch_task.abort_handle()) {
            before.abort();
        }
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let subscribed = &mut self
            .subscribed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(watch_task) = subscribed.remove(&request.uri) {
            watch_task.abort();
        }
        Ok(())
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // 2026-07-28 does not have this method, and the SDK does not reject it by itself.
        if context.protocol_version() >= Some(ProtocolVersion::V_2026_07_28) {
            return Err(ErrorData::method_not_found::<
                rmcp::model::SetLevelRequestMethod,
            >());
        }
        *self
            .log_level
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }
}
