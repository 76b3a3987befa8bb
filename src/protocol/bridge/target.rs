//! What a request is for: a tool, a prompt, a resource, by the name that its upstream has for it.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use crate::protocol::Era;
use crate::protocol::Tool;
use crate::protocol::param_headers::{self, ParamHeader};
use crate::protocol::task::TaskMode;
use crate::wire::splice::{Member, decode};
use crate::wire::{Message, Splice, members};

/// Where a request names what it is for.
#[derive(Debug, Clone, Copy)]
enum NamePlace {
    /// Nowhere.
    None,
    /// In this parameter.
    Param(&'static str),
    /// In this member of the parameter `ref`.
    Ref(&'static str),
}

/// What a request is for at its upstream.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The method.
    pub(crate) method: Cow<'static, str>,
    place: NamePlace,
    /// What the upstream itself calls it, and the same as it wrote it.
    upstream_name: &'a str,
    quoted_name: &'a [u8],
    /// The arguments that go into headers as well.
    param_headers: &'a [ParamHeader],
    /// Whether doing it twice does nothing twice.
    pub(crate) idempotent: bool,
    /// Who follows the task that may come of it.
    pub(crate) task_mode: TaskMode,
    /// Whether what it gives may be what a legacy client cannot take.
    pub(crate) modern_output: bool,
}

impl<'a> Target<'a> {
    /// A call of this tool.
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

    /// A request that changes nothing, for what is known by `key`.
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

    /// The same, for what stands under `key` in the parameter `ref`.
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

    /// Puts the upstream's own name where the client's stands, unless they are the same.
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

    /// A request about a task. Looking changes nothing.
    pub(crate) fn task_request(method: &'static str, id: &'a str, quoted_name: &'a [u8]) -> Self {
        Self {
            idempotent: matches!(method, "tasks/get" | "tasks/result"),
            ..Self::read(method, "taskId", id, quoted_name)
        }
    }

    /// The same, whoever follows the task that may come of it.
    pub(crate) fn with_task_mode(self, task_mode: TaskMode) -> Self {
        Self { task_mode, ..self }
    }

    /// The same, on our own account: about a task that we follow.
    pub(crate) fn followed_by_proxy(self) -> Self {
        self.with_task_mode(TaskMode::ProxyModern)
    }

    /// What a modern upstream wants as `Mcp-Name`. What stands in `ref` goes into no header
    /// (MCP 2026-07-28 § Streamable HTTP, Standard Request Headers).
    pub(super) fn name_header(&self, upstream: Era) -> Option<Box<str>> {
        match (self.place, upstream) {
            (NamePlace::Param(_), Era::Modern) => Some(self.upstream_name.into()),
            _ => None,
        }
    }

    /// The arguments that a modern upstream wants as headers, too.
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
    /// A request that only an extension knows: whatever it does, it is not to be done twice.
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
