//! Merges all listings into one catalog. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::json;
use tracing::warn;

use super::name::{NamingInput, public_names};
use crate::config;
use crate::protocol::{Era, Tool};
use crate::upstream::ToolList;
use crate::wire::{Splice, members};

/// One upstream's configuration and tools, as input of the merge.
#[derive(Debug, Clone)]
pub struct MergeInput<'a> {
    /// The configuration: name, filter, prefix.
    pub config: &'a config::Upstream,
    /// The tools, if the upstream has a listing.
    pub listing: Option<Arc<ToolList>>,
}

/// All tools under their public names, in configuration order.
#[derive(Debug, Default)]
pub struct Catalog {
    listings: Vec<Option<Arc<ToolList>>>,
    entries: Vec<Entry>,
    routes: HashMap<Box<str>, usize>,
    tools: OnceLock<Bytes>,
    /// The definitions for legacy clients, if they differ.
    legacy_tools: OnceLock<Bytes>,
}

#[derive(Debug)]
struct Entry {
    public: Box<str>,
    upstream: usize,
    tool: usize,
}

/// The tool that a public name refers to.
#[derive(Debug, Clone)]
pub struct Route {
    /// The index of the upstream in the merge.
    pub upstream: usize,
    listing: Arc<ToolList>,
    tool: usize,
}

impl Route {
    /// Returns the tool, under its native name.
    #[must_use]
    pub fn tool(&self) -> &Tool {
        &self.listing.tools[self.tool]
    }

    /// Returns the same tool in another listing of its upstream.
    #[must_use]
    pub fn find_in_listing(&self, listing: Arc<ToolList>) -> Option<Self> {
        let name = &self.tool().name;
        let tool = listing.tools.iter().position(|tool| tool.name == *name)?;
        Some(Self {
            upstream: self.upstream,
            listing,
            tool,
        })
    }
}

impl Catalog {
    /// Merges the listings. Names depend on the inputs alone, not on the order in which listings arrive.
    #[must_use]
    pub fn merge(inputs: &[MergeInput<'_>], name_length: usize) -> Self {
        let allowed: Vec<Vec<usize>> = inputs.iter().map(allowed_indexes).collect();
        let naming_inputs: Vec<NamingInput<'_>> = inputs
            .iter()
            .zip(&allowed)
            .map(|(input, allowed)| NamingInput {
                upstream: input.config.name.as_str(),
                prefix: &input.config.prefix,
                tools: allowed
                    .iter()
                    .map(|tool| &*listed_tools(input)[*tool].name)
                    .collect(),
            })
            .collect();
        let names = public_names(&naming_inputs, name_length);
        let mut catalog = Self::default();
        for (upstream, (input, names)) in inputs.iter().zip(names).enumerate() {
            for (tool, public) in allowed[upstream].iter().zip(names) {
                let native = &*listed_tools(input)[*tool].name;
                match public {
                    Some(public) => catalog.add(upstream, *tool, public),
                    None => {
                        warn!(upstream = %input.config.name, tool = native, "omitting a tool whose name is taken");
                    }
                }
            }
        }
        catalog.listings = inputs.iter().map(|input| input.listing.clone()).collect();
        catalog
    }

    fn add(&mut self, upstream: usize, tool: usize, public: Cow<'_, str>) {
        let public: Box<str> = public.into();
        self.routes.insert(public.clone(), self.entries.len());
        self.entries.push(Entry {
            public,
            upstream,
            tool,
        });
    }

    /// Returns the tool of this public name, if clients see one.
    #[must_use]
    pub fn route(&self, public: &str) -> Option<Route> {
        let entry = &self.entries[*self.routes.get(public)?];
        let listing = self.listings.get(entry.upstream)?.clone()?;
        Some(Route {
            upstream: entry.upstream,
            listing,
            tool: entry.tool,
        })
    }

    /// Returns `true` if clients see the same names and definitions.
    #[must_use]
    pub fn lists_same_tools_as(&self, other: &Self) -> bool {
        let is_same = |(entry, other_entry): (&Entry, &Entry)| {
            let definition = |tool: &Tool| tool.definition.clone();
            entry.public == other_entry.public
                && self.tool(entry).map(definition) == other.tool(other_entry).map(definition)
        };
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(is_same)
    }

    /// Returns the number of tools.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns `true` if there is no tool.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the `tools` member of a listing for a client of this era: a JSON array of all definitions.
    /// The first call writes it.
    #[must_use]
    pub fn tools(&self, client: Era) -> Bytes {
        let tools = self.entries.iter().filter_map(|entry| self.tool(entry));
        let needs_legacy =
            client == Era::Legacy && tools.into_iter().any(|tool| tool.modern_output);
        let definitions = if needs_legacy {
            &self.legacy_tools
        } else {
            &self.tools
        };
        let write = || self.write_definitions(needs_legacy).into();
        definitions.get_or_init(write).clone()
    }

    fn write_definitions(&self, for_legacy: bool) -> Vec<u8> {
        let size = |entry: &Entry| self.tool(entry).map_or(0, |tool| tool.definition.len() + 1);
        let mut out = Vec::with_capacity(self.entries.iter().map(size).sum::<usize>() + 2);
        out.push(b'[');
        for entry in &self.entries {
            if let Some(tool) = self.tool(entry) {
                if out.len() > 1 {
                    out.push(b',');
                }
                let without_output = for_legacy && tool.modern_output;
                out.extend_from_slice(&public_definition(tool, &entry.public, without_output));
            }
        }
        out.push(b']');
        out
    }

    fn tool(&self, entry: &Entry) -> Option<&Tool> {
        self.listings
            .get(entry.upstream)?
            .as_ref()?
            .tools
            .get(entry.tool)
    }
}

impl PartialEq for Catalog {
    /// Returns `true` if clients see the same tools of the same upstreams, and calls are forwarded alike.
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(entry, other_entry): (&Entry, &Entry)| {
            entry.public == other_entry.public
                && entry.upstream == other_entry.upstream
                && self.tool(entry) == other.tool(other_entry)
        };
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(is_same)
    }
}

fn listed_tools<'a>(input: &'a MergeInput<'_>) -> &'a [Tool] {
    input.listing.as_ref().map_or(&[], |listing| &listing.tools)
}

/// Returns the indexes of the tools that the configured filter allows.
fn allowed_indexes(input: &MergeInput<'_>) -> Vec<usize> {
    let filter = &input.config.tools;
    let tools = listed_tools(input).iter().enumerate();
    tools
        .filter(|(_, tool)| filter.allows(&tool.name))
        .map(|(index, _)| index)
        .collect()
}

/// Returns the definition under its public name.
///
/// One `outputSchema` that is not of type object makes a legacy client reject the whole list. For such a
/// client the schema is removed. Nothing else changes.
fn public_definition<'a>(tool: &'a Tool, public: &str, without_output: bool) -> Cow<'a, [u8]> {
    if *tool.name == *public && !without_output {
        return Cow::Borrowed(&tool.definition);
    }
    let mut splice = Splice::new(&tool.definition);
    if *tool.name != *public {
        for member in members(&tool.definition).filter(|member| member.key() == "name") {
            splice.replace(member.span(), json!(public).to_string().into_bytes());
        }
    }
    if without_output {
        let whole = 0..tool.definition.len();
        splice.remove_members(whole, |member| member.key() == "outputSchema");
    }
    Cow::Owned(splice.finish())
}

#[cfg(test)]
mod tests;
