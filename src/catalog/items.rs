//! Merges the prompts, resources and templates of all upstreams into immutable snapshots. Pure.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use serde_json::json;

use super::name::{NamingInput, public_names};
use crate::config;
use crate::protocol::{Item, ItemKind, ItemList};
use crate::wire::{Splice, members};

/// The upstream that serves an item.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The index of the upstream in the merge.
    pub upstream: usize,
    /// The item as the upstream lists it.
    pub item: &'a Item,
}

/// The merged items of one kind.
#[derive(Debug)]
pub struct Items {
    /// The unfiltered list of each upstream; `None` if there is no listing.
    listed: Vec<Option<ItemList>>,
    /// The index of the upstream and of the item in its list, by public key.
    owners: HashMap<Box<str>, (usize, usize)>,
    definitions: Bytes,
}

impl Items {
    /// Merges the filtered lists of the upstreams, in configuration order.
    ///
    /// Prompts are named like tools. Of two resources or templates with the same URI, the first one
    /// is listed. `None` stands for an upstream whose list could not be read.
    #[must_use]
    pub fn merge(
        kind: ItemKind,
        listed: Vec<(&config::Upstream, Option<ItemList>)>,
        name_length: usize,
    ) -> Self {
        let filtered: Vec<_> = listed
            .iter()
            .map(|listed| filter_items(kind, listed))
            .collect();
        let names = match kind {
            ItemKind::Prompts => prompt_names(&filtered, name_length),
            ItemKind::Resources | ItemKind::ResourceTemplates => Vec::new(),
        };
        let mut owners = HashMap::new();
        let mut definitions = vec![b'['];
        for (upstream, (_, items)) in filtered.iter().enumerate() {
            for (index, (place, item)) in items.iter().enumerate() {
                let public = match names.get(upstream) {
                    None => Some(item.key.clone()),
                    Some(names) => names.get(index).cloned().flatten(),
                };
                let Some(public) = public.filter(|key| !owners.contains_key(key)) else {
                    continue;
                };
                if definitions.len() > 1 {
                    definitions.push(b',');
                }
                definitions.extend_from_slice(&public_definition(item, kind, &public));
                owners.insert(public, (upstream, *place));
            }
        }
        definitions.push(b']');
        Self {
            listed: listed.into_iter().map(|(_, items)| items).collect(),
            owners,
            definitions: definitions.into(),
        }
    }

    /// Returns the upstream that serves the item with this public key.
    #[must_use]
    pub fn owner(&self, key: &str) -> Option<Owner<'_>> {
        let (upstream, place) = *self.owners.get(key)?;
        let item = self.listed(upstream)?.get(place)?;
        Some(Owner { upstream, item })
    }

    /// Returns the unfiltered list of an upstream, if there is one.
    pub(super) fn listed(&self, upstream: usize) -> Option<&[Item]> {
        self.listed.get(upstream)?.as_deref().map(Vec::as_slice)
    }

    /// Returns a JSON array of all definitions.
    #[must_use]
    pub fn definitions(&self) -> Bytes {
        self.definitions.clone()
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Returns `true` if there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }
}

/// An upstream and the items that its filter allows, with their indexes in its list.
type FilteredItems<'a> = (&'a config::Upstream, Vec<(usize, &'a Item)>);

fn filter_items<'a>(
    kind: ItemKind,
    (config, items): &'a (&config::Upstream, Option<ItemList>),
) -> FilteredItems<'a> {
    let filter = match kind {
        ItemKind::Prompts => &config.prompts,
        ItemKind::Resources | ItemKind::ResourceTemplates => &config.resources,
    };
    let items = items.iter().flat_map(|items| items.iter()).enumerate();
    let passing = items.filter(|(_, item)| filter.allows_any_name(&item.names()));
    (config, passing.collect())
}

fn prompt_names(filtered: &[FilteredItems<'_>], limit: usize) -> Vec<Vec<Option<Box<str>>>> {
    let inputs: Vec<_> = filtered
        .iter()
        .map(|(config, items)| NamingInput {
            upstream: config.name.as_str(),
            prefix: &config.prefix,
            tools: items.iter().map(|(_, item)| &*item.key).collect(),
        })
        .collect();
    let names = public_names(&inputs, limit).into_iter();
    let boxed = |name: Option<Cow<'_, str>>| name.map(Box::from);
    names
        .map(|names| names.into_iter().map(boxed).collect())
        .collect()
}

/// Returns the definition under its public key. Nothing else changes.
fn public_definition<'a>(item: &'a Item, kind: ItemKind, public: &str) -> Cow<'a, [u8]> {
    if *item.key == *public {
        return Cow::Borrowed(&item.definition);
    }
    let mut splice = Splice::new(&item.definition);
    for member in members(&item.definition).filter(|member| member.key() == kind.key_member()) {
        splice.replace(member.span(), json!(public).to_string().into_bytes());
    }
    Cow::Owned(splice.finish())
}

#[cfg(test)]
mod tests;
