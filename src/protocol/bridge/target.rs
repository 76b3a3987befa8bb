//! What a request is for: a tool, a prompt, a resource, by the name that its upstream has for it.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use crate::protocol::Era;
use crate::protocol::Tool;
use crate::protocol::param_headers::{self, MirroredParam};
use crate::protocol::task::AsTask;
use crate::wire::splice::{Member, decode};
use crate::wire::{Message, Splice, members};

/// Where a request names what it is for.
#[derive(Debug, Clone, Copy)]
enum Place {
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
    place: Place,
    /// What the upstream itself calls it, and the same as it wrote it.
    native: &'a str,
    quoted: &'a [u8],
    /// The arguments that go into headers as well.
    mirrored: &'a [MirroredParam],
    /// Whether doing it twice does nothing twice.
    pub(crate) repeatable: bool,
    /// Who follows the task that may come of it.
    pub(crate) as_task: AsTask,
    /// Whether what it gives may be what a legacy client cannot take.
    pub(crate) modern_output: bool,
}

impl<'a> Target<'a> {
    /// A call of this tool.
    pub(crate) fn tool(tool: &'a Tool) -> Self {
        Self {
            method: "tools/call".into(),
            place: Place::Param("name"),
            native: &tool.name,
            quoted: &tool.quoted_name,
            mirrored: &tool.mirrored,
            repeatable: tool.repeatable,
            as_task: AsTask::Theirs,
            modern_output: tool.modern_output,
        }
    }

    /// A request that changes nothing, for what is known by `key`.
    pub(crate) fn read(
        method: &'static str,
        key: &'static str,
        native: &'a str,
        quoted: &'a [u8],
    ) -> Self {
        Self {
            method: method.into(),
            place: Place::Param(key),
            native,
            quoted,
            mirrored: &[],
            repeatable: true,
            as_task: AsTask::Theirs,
            modern_output: false,
        }
    }

    /// The same, for what stands under `key` in the parameter `ref`.
    pub(crate) fn referred(
        method: &'static str,
        key: &'static str,
        native: &'a str,
        quoted: &'a [u8],
    ) -> Self {
        Self {
            place: Place::Ref(key),
            ..Self::read(method, key, native, quoted)
        }
    }

    /// Puts the upstream's own name where the client's stands, unless they are the same.
    pub(super) fn rename(&self, splice: &mut Splice<'a>, message: &'a Message) {
        let start = message.params_span().unwrap_or_default().start;
        let mut put = |named: Member<'_>, start| {
            if decode(named.value()).as_deref() != Some(self.native) {
                splice.replace(named.span_from(start), self.quoted);
            }
        };
        match self.place {
            Place::None => {}
            Place::Param(key) => message
                .params_named(key)
                .for_each(|named| put(named, start)),
            Place::Ref(key) => {
                for object in message.params_named("ref") {
                    let start = object.span_from(start).start;
                    let named = members(object.value()).filter(|member| member.key() == key);
                    named.for_each(|named| put(named, start));
                }
            }
        }
    }

    /// A request about a task. Looking changes nothing.
    pub(crate) fn task(method: &'static str, id: &'a str, quoted: &'a [u8]) -> Self {
        Self {
            repeatable: matches!(method, "tasks/get" | "tasks/result"),
            ..Self::read(method, "taskId", id, quoted)
        }
    }

    /// The same, whoever follows the task that may come of it.
    pub(crate) fn for_task(self, as_task: AsTask) -> Self {
        Self { as_task, ..self }
    }

    /// The same, on our own account: about a task that we follow.
    pub(crate) fn followed(self) -> Self {
        self.for_task(AsTask::Declared)
    }

    /// What a modern upstream wants as `Mcp-Name`. What stands in `ref` goes into no header
    /// (MCP 2026-07-28 § Streamable HTTP, Standard Request Headers).
    pub(super) fn name_header(&self, upstream: Era) -> Option<Box<str>> {
        match (self.place, upstream) {
            (Place::Param(_), Era::Modern) => Some(self.native.into()),
            _ => None,
        }
    }

    /// The arguments that a modern upstream wants as headers, too.
    pub(super) fn mirrored(
        &self,
        message: &Message,
        upstream: Era,
    ) -> Vec<(HeaderName, HeaderValue)> {
        if self.mirrored.is_empty() || upstream == Era::Legacy {
            return Vec::new();
        }
        let arguments = message.param("arguments");
        let text = arguments.and_then(|member| std::str::from_utf8(member.value()).ok());
        text.map(|text| param_headers::mirror(self.mirrored, text))
            .unwrap_or_default()
    }
}

impl Target<'static> {
    /// A request that only an extension knows: whatever it does, it is not to be done twice.
    pub(crate) fn extension(method: &str) -> Self {
        Self {
            method: method.to_owned().into(),
            place: Place::None,
            native: "",
            quoted: b"",
            mirrored: &[],
            repeatable: false,
            as_task: AsTask::Theirs,
            modern_output: false,
        }
    }
}
