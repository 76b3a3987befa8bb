//! What a scripted server is told to say.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::next::{Around, Next};
use super::state::{Call, State};
use super::{Kind, Upstream};
use crate::raw::{self, Handler, Intercept, Reply, Request};
use crate::tls;

type Answer = dyn Fn(&Request) -> Vec<u8> + Send + Sync;
type AnswerInSteps = dyn Fn(Call) -> BoxFuture<'static, Vec<u8>> + Send + Sync;
type Guard = dyn Fn(Request) -> BoxFuture<'static, Option<Reply>> + Send + Sync;

/// What a server was told to say.
pub struct Builder {
    pub(super) kind: Kind,
    pub(super) tools: Vec<String>,
    pub(super) page_size: usize,
    pub(super) versions: Vec<String>,
    pub(super) instructions: Option<String>,
    pub(super) capabilities: String,
    pub(super) sse_replies: bool,
    pub(super) server_stream: bool,
    /// The resources to whose updates a modern server lets nobody subscribe.
    pub(super) declined: Vec<String>,
    /// What is listed besides tools, by the member of the result that holds it.
    pub(super) offers: HashMap<String, Vec<String>>,
    pub(super) answers: HashMap<String, Arc<Answer>>,
    pub(super) on_call: Option<Arc<Answer>>,
    /// By method, `tools/call` included.
    pub(super) in_steps: HashMap<String, Arc<AnswerInSteps>>,
    pub(super) intercept: Option<Box<Intercept>>,
    pub(super) guard: Option<Box<Guard>>,
    around: Option<Box<Around>>,
}

impl Builder {
    pub(super) fn new(kind: Kind, versions: &[&str]) -> Self {
        Self {
            kind,
            tools: Vec::new(),
            page_size: usize::MAX,
            versions: versions.iter().map(|&version| version.into()).collect(),
            instructions: None,
            capabilities: r#"{"tools":{"listChanged":true}}"#.to_owned(),
            sse_replies: false,
            server_stream: true,
            declined: Vec::new(),
            offers: HashMap::new(),
            answers: HashMap::new(),
            on_call: None,
            in_steps: HashMap::new(),
            intercept: None,
            guard: None,
            around: None,
        }
    }

    /// Adds a tool of this name. Called, it says its name and its arguments.
    #[must_use]
    pub fn tool(self, name: &str) -> Self {
        self.tool_raw(&tool(name))
    }

    /// Adds a tool in these bytes.
    #[must_use]
    pub fn tool_raw(mut self, tool: &str) -> Self {
        self.tools.push(tool.to_owned());
        self
    }

    /// Lists these definitions, in these bytes, as `prompts`, `resources` or `resourceTemplates`;
    /// the capability for them is not declared thereby.
    #[must_use]
    pub fn offers<'a>(
        mut self,
        member: &str,
        definitions: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let definitions = definitions.into_iter().map(str::to_owned).collect();
        self.offers.insert(member.to_owned(), definitions);
        self
    }

    /// Lists so many a page.
    #[must_use]
    pub fn page_size(mut self, items: usize) -> Self {
        self.page_size = items;
        self
    }

    /// Answers calls with these bytes: a result, or a whole message if they begin `{"jsonrpc"`.
    #[must_use]
    pub fn reply_with(
        mut self,
        answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.on_call = Some(Arc::new(answer));
        self
    }

    /// Answers calls as [`Builder::reply_with`] does, in its own time and after messages of its own.
    #[must_use]
    pub fn on_call<F, R>(self, answer: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<u8>> + Send + 'static,
    {
        self.on_request("tools/call", answer)
    }

    /// Answers every request of `method` as [`Builder::on_call`] answers calls.
    #[must_use]
    pub fn on_request<F, R>(mut self, method: &str, answer: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<u8>> + Send + 'static,
    {
        let in_steps: Arc<AnswerInSteps> = Arc::new(move |call| Box::pin(answer(call)));
        // Of several answers to one method the last counts.
        self.answers.remove(method);
        self.in_steps.insert(method.to_owned(), in_steps);
        self
    }

    /// Answers every request of `method` with this result.
    #[must_use]
    pub fn result(self, method: &str, result: &str) -> Self {
        let result = result.as_bytes().to_vec();
        self.answers(method, move |_| result.clone())
    }

    /// Answers every request of `method` as [`Builder::reply_with`] answers calls.
    #[must_use]
    pub fn answers(
        mut self,
        method: &str,
        answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.answers.insert(method.to_owned(), Arc::new(answer));
        self
    }

    /// Lets `reply` answer an HTTP request in place of the server.
    #[must_use]
    pub fn intercept(
        mut self,
        reply: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        self.intercept = Some(Box::new(reply));
        self
    }

    /// Lets `reply` answer an HTTP request, in its own time, that [`Builder::intercept`] left.
    #[must_use]
    pub fn guarded<F, R>(mut self, reply: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Option<Reply>> + Send + 'static,
    {
        self.guard = Some(Box::new(move |request| Box::pin(reply(request))));
        self
    }

    /// Lets `reply` answer every HTTP request; it may have the server answer first, or not at all.
    #[must_use]
    pub fn around<F, R>(mut self, reply: F) -> Self
    where
        F: Fn(Request, Next) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        self.around = Some(Box::new(move |request, next| {
            Box::pin(reply(request, next))
        }));
        self
    }

    /// Answers each POST with an event stream.
    #[must_use]
    pub fn sse_replies(mut self) -> Self {
        self.sse_replies = true;
        self
    }

    /// Answers GET with 405, as a legacy server without a stream of its own does.
    #[must_use]
    pub fn without_server_stream(mut self) -> Self {
        self.server_stream = false;
        self
    }

    /// Leaves this resource out of the acknowledgement of a modern subscription.
    #[must_use]
    pub fn declines(mut self, uri: &str) -> Self {
        self.declined.push(uri.to_owned());
        self
    }

    /// Supports these protocol versions, the preferred one first.
    #[must_use]
    pub fn versions<'a>(mut self, versions: impl IntoIterator<Item = &'a str>) -> Self {
        self.versions = versions.into_iter().map(str::to_owned).collect();
        self
    }

    /// Gives instructions.
    #[must_use]
    pub fn instructions(mut self, instructions: &str) -> Self {
        self.instructions = Some(instructions.to_owned());
        self
    }

    /// Declares these capabilities, JSON.
    #[must_use]
    pub fn capabilities(mut self, capabilities: &str) -> Self {
        self.capabilities = capabilities.to_owned();
        self
    }

    /// Starts the server.
    pub async fn start(self) -> Upstream {
        self.start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts the server on the address of one that was stopped.
    pub fn start_at(self, address: SocketAddr) -> Upstream {
        let (state, handler) = self.build();
        Upstream {
            raw: raw::start(address, None, handler.clone()),
            state,
            handler,
            authority: None,
        }
    }

    /// Starts the server behind TLS.
    pub async fn start_tls(self) -> Upstream {
        let (state, handler) = self.build();
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let (acceptor, authority) = tls::acceptor();
        Upstream {
            raw: raw::start(address, Some(acceptor), handler.clone()),
            state,
            handler,
            authority: Some(authority),
        }
    }

    pub(super) fn build(mut self) -> (Arc<State>, Handler) {
        let around = self.around.take();
        let state = Arc::new(State::new(self));
        let next = Next(state.clone());
        let handler: Handler = match around {
            Some(around) => Arc::new(move |request| around(request, next.clone())),
            None => raw::handler_of(move |request| next.clone().reply(request)),
        };
        (state, handler)
    }
}

/// The definition of a plain tool.
pub fn tool(name: &str) -> String {
    let schema = json!({"type": "object"});
    json!({"name": name, "description": format!("The tool {name}"), "inputSchema": schema})
        .to_string()
}
