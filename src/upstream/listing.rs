//! What one upstream offers: the definitions of its tools, as it wrote them.

use std::collections::HashSet;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tracing::warn;

use super::error::TransportError;
use super::live::Live;
use super::mirror::{MirroredParam, mirrored_params};
use super::transport::{error_code, error_text};
use crate::wire::outgoing::code;
use crate::wire::splice::{decode, members};
use crate::wire::{Era, Message};

/// How many pages are read of one listing.
const MAX_PAGES: usize = 1000;

/// One tool of an upstream.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name at the upstream.
    pub name: Box<str>,
    /// The same as the upstream wrote it: a JSON string, a slice of the definition.
    pub quoted_name: Bytes,
    /// Its definition, a slice of the page that it came on.
    pub definition: Bytes,
    /// Its parameters that go into headers as well.
    pub mirrored: Vec<MirroredParam>,
    /// Whether it says that calling it twice does nothing twice
    /// (`readOnlyHint` or `idempotentHint`, MCP § Tool Annotations).
    pub repeatable: bool,
}

impl Tool {
    /// A tool by its definition, a JSON object; `None` for one that nobody could call.
    #[must_use]
    pub fn read(definition: Bytes, era: Era) -> Option<Self> {
        let name = members(&definition)
            .filter(|member| member.key() == "name")
            .last();
        let read = name.map(|name| (name.value(), decode(name.value())));
        let Some((quoted, Some(name))) = read else {
            warn!("leaving out a tool without a name");
            return None;
        };
        let (quoted_name, name) = (definition.slice_ref(quoted), Box::from(name));
        let mirrored = match era {
            Era::Legacy => Vec::new(),
            Era::Modern => {
                let text = std::str::from_utf8(&definition).unwrap_or_default();
                match mirrored_params(text) {
                    Ok(mirrored) => mirrored,
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
            repeatable: is_repeatable(&definition),
            definition,
            mirrored,
        })
    }
}

/// All tools of one upstream, in its order.
#[derive(Debug, Default)]
pub struct Listing {
    /// The tools.
    pub tools: Vec<Tool>,
}

impl PartialEq for Listing {
    fn eq(&self, other: &Self) -> bool {
        let ours = self.tools.iter().map(|tool| &tool.definition);
        ours.eq(other.tools.iter().map(|tool| &tool.definition))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow, default)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    next_cursor: Option<&'a RawValue>,
}

impl Listing {
    /// Reads all pages of `tools/list`.
    pub(crate) async fn fetch(live: &Live) -> Result<Self, TransportError> {
        let mut listing = Self::default();
        let mut cursors = HashSet::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let params = cursor
                .as_ref()
                .map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
            let answer = live.ask("tools/list", params).await?;
            cursor = listing.take_page(&answer, live.era)?;
            // A cursor that comes again leads in a circle.
            if cursor.clone().is_none_or(|cursor| !cursors.insert(cursor)) {
                listing.leave_out_repeats();
                return Ok(listing);
            }
        }
        warn!(
            pages = MAX_PAGES,
            "listing cut off; the upstream never ends it"
        );
        listing.leave_out_repeats();
        Ok(listing)
    }

    /// Adds the tools of one page, the answer to a `tools/list` in the server's era; returns the
    /// cursor of the next page.
    ///
    /// # Errors
    /// [`TransportError`], when the answer is an error or not a page. An upstream that does not
    /// know `tools/list` has no tools.
    pub fn take_page(
        &mut self,
        answer: &Message,
        era: Era,
    ) -> Result<Option<String>, TransportError> {
        let Some(result) = answer.result() else {
            return match error_code(answer) {
                // An upstream without tools need not know the method.
                Some(code::METHOD_NOT_FOUND) => Ok(None),
                _ => Err(TransportError::Handshake(format!(
                    "`tools/list`: {}",
                    error_text(answer)
                ))),
            };
        };
        let page: Page = serde_json::from_slice(result)
            .map_err(|e| TransportError::Malformed(format!("`tools/list`: {e}")))?;
        self.tools.reserve(page.tools.len());
        for raw in page.tools {
            let definition = answer.bytes().slice_ref(raw.get().as_bytes());
            self.tools.extend(Tool::read(definition, era));
        }
        Ok(page
            .next_cursor
            .and_then(|cursor| serde_json::from_str(cursor.get()).ok()))
    }

    /// Keeps the first of several tools with one name: no other could ever be called.
    fn leave_out_repeats(&mut self) {
        let mut names = HashSet::with_capacity(self.tools.len());
        let before = self.tools.len();
        self.tools.retain(|tool| names.insert(tool.name.clone()));
        let repeated = before - self.tools.len();
        if repeated > 0 {
            warn!(repeated, "leaving out tools that are listed twice");
        }
    }
}

fn is_repeatable(definition: &[u8]) -> bool {
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
