//! The table of methods: the eras of each method, and the function that serves it. Methods that are not in
//! MCP go to the upstreams' extensions.

use super::context::Context;
use super::methods::{
    completion, extensions, listen, listings, log_level, prompts_resources, resource_subscriptions,
    task_list, tasks, tools,
};
use crate::protocol::{Era, ItemKind};
use crate::wire::Message;

/// The eras in which a method exists.
#[derive(Debug, Clone, Copy)]
enum Eras {
    Both,
    /// Legacy only: the modern era removed the method (MCP 2026-07-28 § Changelog).
    Legacy,
    /// Modern only: the modern era added the method.
    Modern,
}

/// The handler of a method.
#[derive(Debug, Clone, Copy)]
enum Method {
    /// The proxy itself, in `downstream/`. These requests are never dispatched.
    Local,
    /// The upstream that declares the extension. The method is not in MCP.
    Extension,
    CallTool,
    ListTools,
    GetPrompt,
    ReadResource,
    Complete,
    Subscribe,
    Unsubscribe,
    Listen,
    ListItems(ItemKind),
    Task(&'static str),
    ListTasks,
    SetLevel,
}

/// The methods that MCP clients send to servers.
const METHODS: [(&str, Eras, Method); 20] = [
    ("tools/call", Eras::Both, Method::CallTool),
    ("tools/list", Eras::Both, Method::ListTools),
    ("prompts/get", Eras::Both, Method::GetPrompt),
    (
        "prompts/list",
        Eras::Both,
        Method::ListItems(ItemKind::Prompts),
    ),
    ("resources/read", Eras::Both, Method::ReadResource),
    (
        "resources/list",
        Eras::Both,
        Method::ListItems(ItemKind::Resources),
    ),
    (
        "resources/templates/list",
        Eras::Both,
        Method::ListItems(ItemKind::ResourceTemplates),
    ),
    ("resources/subscribe", Eras::Legacy, Method::Subscribe),
    ("resources/unsubscribe", Eras::Legacy, Method::Unsubscribe),
    ("subscriptions/listen", Eras::Modern, Method::Listen),
    ("completion/complete", Eras::Both, Method::Complete),
    ("logging/setLevel", Eras::Legacy, Method::SetLevel),
    ("tasks/get", Eras::Both, Method::Task("tasks/get")),
    ("tasks/result", Eras::Legacy, Method::Task("tasks/result")),
    ("tasks/cancel", Eras::Both, Method::Task("tasks/cancel")),
    ("tasks/update", Eras::Modern, Method::Task("tasks/update")),
    ("tasks/list", Eras::Legacy, Method::ListTasks),
    ("initialize", Eras::Legacy, Method::Local),
    ("ping", Eras::Legacy, Method::Local),
    ("server/discover", Eras::Modern, Method::Local),
];

/// Returns `true` if the method exists in this era. Methods that are not in MCP exist in both eras.
pub(crate) fn is_known_method(method: &str, era: Era) -> bool {
    let entry = METHODS.iter().find(|(name, ..)| *name == method);
    entry.is_none_or(|(_, eras, _)| match eras {
        Eras::Both => true,
        Eras::Legacy => era == Era::Legacy,
        Eras::Modern => era == Era::Modern,
    })
}

/// Starts to serve a request that the proxy does not answer itself, or rejects it.
pub(crate) async fn dispatch(ctx: &Context, request: Message, client: Era) {
    let method = request.method();
    let entry = METHODS.iter().find(|(name, ..)| **name == *method);
    let method = entry.map_or(Method::Extension, |(.., method)| *method);
    match method {
        Method::CallTool => tools::call(ctx, request, client).await,
        Method::ListTools => listings::list_tools(ctx, request, client).await,
        Method::GetPrompt => prompts_resources::get_prompt(ctx, request, client).await,
        Method::ReadResource => prompts_resources::read_resource(ctx, request, client).await,
        Method::Complete => completion::complete(ctx, request, client).await,
        Method::Subscribe => resource_subscriptions::subscribe(ctx, request, client).await,
        Method::Unsubscribe => resource_subscriptions::unsubscribe(ctx, request, client).await,
        Method::Listen => listen::listen(ctx, request, client).await,
        Method::ListItems(kind) => listings::list_items(ctx, request, kind, client).await,
        Method::Task(method) => tasks::serve_task_request(ctx, request, method, client).await,
        Method::ListTasks => task_list::list_tasks(ctx, request, client).await,
        Method::SetLevel => log_level::set_level(ctx, request, client).await,
        Method::Local | Method::Extension => extensions::call(ctx, request, client).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_method_serves_its_own_item_kind() {
        for kind in ItemKind::ALL {
            let found = METHODS
                .iter()
                .find(|(name, ..)| *name == kind.list_method());
            assert!(matches!(found, Some((_, _, Method::ListItems(it))) if *it == kind));
        }
    }

    #[test]
    fn method_exists_only_in_its_eras() {
        for (method, legacy, modern) in [
            ("tools/call", true, true),
            ("ping", true, false),
            ("tasks/result", true, false),
            ("tasks/update", false, true),
            ("x/unknown", true, true),
        ] {
            assert_eq!(is_known_method(method, Era::Legacy), legacy, "{method}");
            assert_eq!(is_known_method(method, Era::Modern), modern, "{method}");
        }
    }
}
