//! Tool definitions, as their server wrote them.

use bytes::Bytes;
use serde::Deserialize;
use tracing::warn;

use super::param_headers::{ParamHeader, parse_param_headers};
use super::revision::Era;
use crate::wire::splice::{decode, last_member, members};

/// One tool of an upstream.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The name at the upstream.
    pub name: Box<str>,
    /// The name as the upstream wrote it: a JSON string, a slice of the definition.
    pub quoted_name: Bytes,
    /// The definition, a slice of the listing's page.
    pub definition: Bytes,
    /// The parameters that are also sent as headers.
    pub param_headers: Vec<ParamHeader>,
    /// Whether the tool declares `readOnlyHint` or `idempotentHint` (MCP § Tool Annotations).
    pub idempotent: bool,
    /// Whether the tool runs only as a task (`execution.taskSupport` is `required`,
    /// MCP 2025-11-25 § Tasks, Tool-Level Negotiation).
    pub task_required: bool,
    /// Whether the `outputSchema` allows values other than objects, which only the modern era does.
    pub modern_output: bool,
}

impl Tool {
    /// Reads a tool from its definition, a JSON object; `None` for a tool that cannot be called.
    #[must_use]
    pub fn read(definition: Bytes, era: Era) -> Option<Self> {
        let name = last_member(&definition, "name");
        let read = name.map(|name| (name.value(), decode(name.value())));
        let Some((quoted, Some(name))) = read else {
            warn!("leaving out a tool without a name");
            return None;
        };
        let (quoted_name, name) = (definition.slice_ref(quoted), Box::from(name));
        let param_headers = match era {
            Era::Legacy => Vec::new(),
            Era::Modern => {
                let text = std::str::from_utf8(&definition).unwrap_or_default();
                match parse_param_headers(text) {
                    Ok(param_headers) => param_headers,
                    Err(error) => {
                        warn!(tool = &*name, %error, "leaving out a tool whose `x-mcp-header` is invalid");
                        return None;
                    }
                }
            }
        };
        Some(Self {
            name,
            quoted_name,
            idempotent: is_idempotent(&definition),
            task_required: era == Era::Legacy && requires_task(&definition),
            modern_output: era == Era::Modern && has_modern_output(&definition),
            definition,
            param_headers,
        })
    }
}

impl PartialEq for Tool {
    /// Whether both tools have one definition and are called alike. The latter depends on the server's era.
    fn eq(&self, other: &Self) -> bool {
        let read = |tool: &Self| (tool.task_required, tool.modern_output);
        self.definition == other.definition
            && self.param_headers == other.param_headers
            && read(self) == read(other)
    }
}

fn requires_task(definition: &[u8]) -> bool {
    let execution = members(definition).find(|member| member.key() == "execution");
    execution.is_some_and(|execution| {
        let support = members(execution.value()).find(|member| member.key() == "taskSupport");
        support.is_some_and(|support| decode(support.value()).as_deref() == Some("required"))
    })
}

fn has_modern_output(definition: &[u8]) -> bool {
    last_member(definition, "outputSchema").is_some_and(|schema| {
        let kind = last_member(schema.value(), "type").and_then(|kind| decode(kind.value()));
        kind.as_deref() != Some("object")
    })
}

fn is_idempotent(definition: &[u8]) -> bool {
    #[derive(Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Annotations {
        read_only_hint: bool,
        idempotent_hint: bool,
    }
    let annotations = members(definition).find(|member| member.key() == "annotations");
    let annotations: Annotations = annotations
        .and_then(|member| serde_json::from_slice(member.value()).ok())
        .unwrap_or_default();
    annotations.read_only_hint || annotations.idempotent_hint
}
