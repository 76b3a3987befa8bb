//! The target of a request: a tool, prompt, resource or task, by its name at the upstream.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use crate::protocol::Era;
use crate::protocol::Tool;
use crate::protocol::param_headers::{self, ParamHeader};
use crate::protocol::task::TaskMode;
use crate::wire::splice::{Member, decode};
use crate::wire::{Message, Splice, members};

/// Where a request names its target.
#[derive(Debug, Clone, Copy)]
enum NamePlace {
    /// The request names none.
    None,
    /// In this parameter.
    Param(&'static str),
    /// In this member of the parameter `ref`.
    Ref(&'static str),
}

/// The target of a request at its upstream.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The method.
    pub(crate) method: Cow<'static, str>,
    place: NamePlace,
    /// The name at the upstream, decoded, and as the upstream wrote it.
    upstream_name: &'a str,
    quoted_name: &'a [u8],
    /// The arguments that are also sent as headers.
    param_headers: &'a [ParamHeader],
    /// Whether the request is idempotent and may be retried.
    pub(crate) idempotent: bool,
    /// Which side polls the task that the request may create.
    pub(crate) task_mode: TaskMode,
    /// Whether the result may hold `structuredContent` that legacy clients reject.
    pub(crate) modern_output: bool,
}

impl<'a> Target<'a> {
    /// A `tools/call` of this tool.
    pub(crate) fn tool_call(tool: &'a Tool) -> Self {
        Self {
            method: "tools/call".into(),
            place: NamePlace::Param("name"),
            upstream_name: &tool.name,
            quoted_name: &tool.quoted_name,
            param_headers: &tool.param_headers,
            idempotent: tool.idempotent,
            task_mode: TaskMode::Client,
            modern_output: tool.modern_output,
        }
    }

    /// A read-only request whose target is named by the parameter `key`.
    pub(crate) fn read(
        method: &'static str,
        key: &'static str,
        upstream_name: &'a str,
        quoted_name: &'a [u8],
    ) -> Self {
        Self {
            method: method.into(),
            place: NamePlace::Param(key),
            upstream_name,
            quoted_name,
            param_headers: &[],
            idempotent: true,
            task_mode: TaskMode::Client,
            modern_output: false,
        }
    }

    /// A read-only request whose target is named by `key` in the parameter `ref`.
    pub(crate) fn reference(
        method: &'static str,
        key: &'static str,
        upstream_name: &'a str,
        quoted_name: &'a [u8],
    ) -> Self {
        Self {
            place: NamePlace::Ref(key),
            ..Self::read(method, key, upstream_name, quoted_name)
        }
    }

    /// Replaces the client's name of the target by the upstream's, if they differ.
    pub(super) fn replace_name(&self, splice: &mut Splice<'a>, message: &'a Message) {
        let start = message.params_span().unwrap_or_default().start;
        let mut put = |named: Member<'_>, start| {
            if decode(named.value()).as_deref() != Some(self.upstream_name) {
                splice.replace(named.span_from(start), self.quoted_name);
            }
        };
        match self.place {
            NamePlace::None => {}
            NamePlace::Param(key) => message
                .params_named(key)
                .for_each(|named| put(named, start)),
            NamePlace::Ref(key) => {
                for object in message.params_named("ref") {
                    let start = object.span_from(start).start;
                    let named = members(object.value()).filter(|member| member.key() == key);
                    named.for_each(|named| put(named, start));
                }
            }
        }
    }

    /// A request about a task. Only `tasks/get` and `tasks/result` are idempotent.
    pub(crate) fn task_request(method: &'static str, id: &'a str, quoted_name: &'a [u8]) -> Self {
        Self {
            idempotent: matches!(method, "tasks/get" | "tasks/result"),
            ..Self::read(method, "taskId", id, quoted_name)
        }
    }

    /// Sets which side polls the task that the request may create.
    pub(crate) fn with_task_mode(self, task_mode: TaskMode) -> Self {
        Self { task_mode, ..self }
    }

    /// A request about a task that the proxy polls.
    pub(crate) fn followed_by_proxy(self) -> Self {
        self.with_task_mode(TaskMode::ProxyModern)
    }

    /// The `Mcp-Name` header for a modern upstream. A name in `ref` is not sent as a header
    /// (MCP 2026-07-28 § Streamable HTTP, Standard Request Headers).
    pub(super) fn name_header(&self, upstream: Era) -> Option<Box<str>> {
        match (self.place, upstream) {
            (NamePlace::Param(_), Era::Modern) => Some(self.upstream_name.into()),
            _ => None,
        }
    }

    /// The `Mcp-Param-*` headers for a modern upstream.
    pub(super) fn param_headers(
        &self,
        message: &Message,
        upstream: Era,
    ) -> Vec<(HeaderName, HeaderValue)> {
        if self.param_headers.is_empty() || upstream == Era::Legacy {
            return Vec::new();
        }
        let arguments = message.param("arguments");
        let text = arguments.and_then(|member| std::str::from_utf8(member.value()).ok());
        text.map(|text| param_headers::header_values(self.param_headers, text))
            .unwrap_or_default()
    }
}

impl Target<'static> {
    /// A request of an extension. It is never retried, since its effect is unknown.
    pub(crate) fn extension(method: &str) -> Self {
        Self {
            method: method.to_owned().into(),
            place: NamePlace::None,
            upstream_name: "",
            quoted_name: b"",
            param_headers: &[],
            idempotent: false,
            task_mode: TaskMode::Client,
            modern_output: false,
        }
    }
}
