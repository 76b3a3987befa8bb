//! Configures a scripted server.

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

/// The script of a server.
pub struct Builder {
    pub(super) kind: Kind,
    pub(super) tools: Vec<String>,
    pub(super) page_size: usize,
    pub(super) versions: Vec<String>,
    pub(super) instructions: Option<String>,
    pub(super) capabilities: String,
    pub(super) sse_replies: bool,
    pub(super) server_stream: bool,
    /// The resources that a modern server accepts no subscription for.
    pub(super) declined: Vec<String>,
    /// The lists other than tools, by their member in the result.
    pub(super) offers: HashMap<String, Vec<String>>,
    pub(super) answers: HashMap<String, Arc<Answer>>,
    pub(super) on_call: Option<Arc<Answer>>,
    /// The answers in steps by method, including `tools/call`.
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

    /// Adds a tool of this name, which returns its name and arguments.
    #[must_use]
    pub fn tool(self, name: &str) -> Self {
        self.tool_raw(&tool(name))
    }

    /// Adds a tool with this definition, byte by byte.
    #[must_use]
    pub fn tool_raw(mut self, tool: &str) -> Self {
        self.tools.push(tool.to_owned());
        self
    }

    /// Lists these definitions, byte by byte, as `prompts`, `resources` or `resourceTemplates`. Does not
    /// declare their capability.
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

    /// Sets the page size of lists.
    #[must_use]
    pub fn page_size(mut self, items: usize) -> Self {
        self.page_size = items;
        self
    }

    /// Answers calls with these bytes: a result, or a whole message that begins with `{"jsonrpc"`.
    #[must_use]
    pub fn reply_with(
        mut self,
        answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.on_call = Some(Arc::new(answer));
        self
    }

    /// Answers calls like [`Builder::reply_with`], asynchronously and after other messages.
    #[must_use]
    pub fn on_call<F, R>(self, answer: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<u8>> + Send + 'static,
    {
        self.on_request("tools/call", answer)
    }

    /// Answers every request of `method` like [`Builder::on_call`].
    #[must_use]
    pub fn on_request<F, R>(mut self, method: &str, answer: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<u8>> + Send + 'static,
    {
        let in_steps: Arc<AnswerInSteps> = Arc::new(move |call| Box::pin(answer(call)));
        // The last answer set for a method counts.
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

    /// Answers every request of `method` like [`Builder::reply_with`].
    #[must_use]
    pub fn answers(
        mut self,
        method: &str,
        answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.answers.insert(method.to_owned(), Arc::new(answer));
        self
    }

    /// Lets `reply` answer an HTTP request instead of the server.
    #[must_use]
    pub fn intercept(
        mut self,
        reply: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        self.intercept = Some(Box::new(reply));
        self
    }

    /// Lets `reply` answer an HTTP request asynchronously, if [`Builder::intercept`] has not.
    #[must_use]
    pub fn guarded<F, R>(mut self, reply: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Option<Reply>> + Send + 'static,
    {
        self.guard = Some(Box::new(move |request| Box::pin(reply(request))));
        self
    }

    /// Lets `reply` answer every HTTP request. It can call the server itself.
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

    /// Answers GET with 405, like a legacy server without an event stream.
    #[must_use]
    pub fn without_server_stream(mut self) -> Self {
        self.server_stream = false;
        self
    }

    /// Omits this resource from the acknowledgement of a modern subscription.
    #[must_use]
    pub fn declines(mut self, uri: &str) -> Self {
        self.declined.push(uri.to_owned());
        self
    }

    /// Supports these revisions, the preferred one first.
    #[must_use]
    pub fn versions<'a>(mut self, versions: impl IntoIterator<Item = &'a str>) -> Self {
        self.versions = versions.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets the instructions.
    #[must_use]
    pub fn instructions(mut self, instructions: &str) -> Self {
        self.instructions = Some(instructions.to_owned());
        self
    }

    /// Declares these capabilities, as JSON.
    #[must_use]
    pub fn capabilities(mut self, capabilities: &str) -> Self {
        self.capabilities = capabilities.to_owned();
        self
    }

    /// Starts the server.
    pub async fn start(self) -> Upstream {
        self.start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts the server on the address of a stopped one.
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

/// Returns the definition of a plain tool.
pub fn tool(name: &str) -> String {
    let schema = json!({"type": "object"});
    json!({"name": name, "description": format!("The tool {name}"), "inputSchema": schema})
        .to_string()
}
