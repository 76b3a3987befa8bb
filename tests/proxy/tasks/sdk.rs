//! The official SDK as a server with the tasks extension. It does not support tasks of 2025-11-25.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ClientCapabilities,
    ContentBlock, CreateTaskResult, GetTaskParams, GetTaskResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskExit, TaskManager, TaskOptions};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;
use tokio::sync::watch;

use crate::tasks::{exchange_json, meta};
use testkit::json::text_of;
use testkit::proxy;
use testkit::verbatim::{ERAS, Era};
use testkit::within;

/// A server whose tools require a task: `soon` ends by itself, `never` when it is cancelled.
#[derive(Clone)]
struct Server {
    tasks: TaskManager,
    cancelled: watch::Sender<usize>,
}

impl ServerHandler for Server {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = context.client_capabilities();
        if !client.is_some_and(|client| client.supports_tasks()) {
            let tasks = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(tasks));
        }
        let options = TaskOptions::new().with_poll_interval_ms(10);
        let (is_soon, cancelled) = (request.name == "soon", self.cancelled.clone());
        let task = self.tasks.spawn(options, move |task| {
            Box::pin(async move {
                if is_soon {
                    return Ok(CallToolResult::success(vec![ContentBlock::text("done")]));
                }
                task.cancelled().await;
                cancelled.send_modify(|cancelled| *cancelled += 1);
                Err(TaskExit::Cancelled)
            })
        });
        Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(rmcp::object!({"type": "object"}));
        let tool = |name: &'static str| Tool::new(name, "A task", schema.clone());
        Ok(ListToolsResult::with_all_items(vec![
            tool("soon"),
            tool("never"),
        ]))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.tasks.get_task(&request.task_id)?))
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&[ProtocolVersion::V_2026_07_28])
    }

    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_tasks();
        ServerConfig::new(capabilities.build())
    }
}

/// Starts the server. Returns its URL and the number of its cancelled tasks.
async fn start() -> (String, watch::Sender<usize>) {
    let server = Server {
        tasks: TaskManager::new(),
        cancelled: watch::Sender::new(0),
    };
    let cancelled = server.cancelled.clone();
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_stateless_protocol_metadata_required(true),
    );
    let router = axum::Router::new().nest_service("/mcp", service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/mcp"), cancelled)
}

#[tokio::test]
async fn clients_without_tasks_get_the_result() {
    let (url, _) = start().await;
    for era in ERAS {
        let mut client = proxy::new().upstream("sdk", &url).start().await;
        if era == Era::Legacy {
            client.initialize().await;
        }
        let answer = client.call("soon", json!({})).await;
        assert_eq!(text_of(&answer), "done");
    }
}

#[tokio::test]
async fn client_with_tasks_polls_and_cancels_a_task() {
    let (url, cancelled) = start().await;
    let mut client = proxy::new().upstream("sdk", &url).start().await;
    let meta = meta(true);
    let call = format!(r#"{{"name":"never",{meta}}}"#);
    let created = exchange_json(&mut client, "tools/call", &call).await;
    assert_eq!(created["result"]["resultType"], "task", "{created}");
    let params = format!(r#"{{"taskId":{},{meta}}}"#, created["result"]["taskId"]);
    let seen = exchange_json(&mut client, "tasks/get", &params).await;
    assert_eq!(seen["result"]["status"], "working", "{seen}");
    let answer = exchange_json(&mut client, "tasks/cancel", &params).await;
    assert!(answer["result"].is_object(), "{answer}");
    let one = |cancelled: &usize| *cancelled == 1;
    let mut cancelled = cancelled.subscribe();
    within("the task to end", cancelled.wait_for(one))
        .await
        .unwrap();
}

#[tokio::test]
async fn cancelled_call_ends_its_task() {
    let (url, cancelled) = start().await;
    let proxy = proxy::new().upstream("sdk", &url).env("DEBUG", "1");
    let mut client = proxy.start().await;
    client.initialize().await;
    let id = client
        .send_request("tools/call", json!({"name": "never"}))
        .await;
    client.wait_for_stderr("following a task").await;
    client.cancel(id).await;
    let one = |cancelled: &usize| *cancelled == 1;
    let mut cancelled = cancelled.subscribe();
    within("the task to end", cancelled.wait_for(one))
        .await
        .unwrap();
}
