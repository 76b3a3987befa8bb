//! Prompts, resources and templates of all upstreams, merged. Pure, and an immutable snapshot.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use serde_json::json;

use super::name::{Offer, public_names};
use crate::config;
use crate::upstream::{Item, Kind};
use crate::wire::{Splice, members};

/// Who answers for an item, and under which key.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The upstream, by its place in the configuration.
    pub upstream: usize,
    /// Its own item.
    pub item: Item,
}

/// All items of one kind.
#[derive(Debug)]
pub struct Items {
    owners: HashMap<Box<str>, Owner>,
    definitions: Bytes,
}

impl Items {
    /// Merges what the upstreams offer, in configuration order. Prompts are named as tools are;
    /// of two resources or templates with one URI the first one counts.
    #[must_use]
    pub fn merge(
        kind: Kind,
        offered: Vec<(&config::Upstream, Vec<Item>)>,
        name_length: usize,
    ) -> Self {
        let names = match kind {
            Kind::Prompts => prompt_names(&offered, name_length),
            Kind::Resources | Kind::ResourceTemplates => Vec::new(),
        };
        let mut merged = Self {
            owners: HashMap::new(),
            definitions: Bytes::new(),
        };
        let mut definitions = vec![b'['];
        for (upstream, (_, items)) in offered.into_iter().enumerate() {
            for (index, item) in items.into_iter().enumerate() {
                let public = match names.get(upstream) {
                    None => Some(item.key.clone()),
                    Some(names) => names.get(index).cloned().flatten(),
                };
                let Some(public) = public.filter(|key| !merged.owners.contains_key(key)) else {
                    continue;
                };
                if definitions.len() > 1 {
                    definitions.push(b',');
                }
                definitions.extend_from_slice(&known_as(&item, kind, &public));
                merged.owners.insert(public, Owner { upstream, item });
            }
        }
        definitions.push(b']');
        merged.definitions = definitions.into();
        merged
    }

    /// Who answers for the item that the client knows by this key.
    #[must_use]
    pub fn owner(&self, key: &str) -> Option<&Owner> {
        self.owners.get(key)
    }

    /// Who answers for a URI that a template may have made: the owner of the template with the
    /// longest text before its first expression that the URI begins with.
    #[must_use]
    pub fn template_owner(&self, uri: &str) -> Option<&Owner> {
        let head = |owner: &&Owner| owner.item.key.find('{').unwrap_or(owner.item.key.len());
        let matches = |owner: &&Owner| uri.starts_with(&owner.item.key[..head(owner)]);
        // Of equal ones the first configured: the map has no order.
        self.owners
            .values()
            .filter(matches)
            .max_by_key(|owner| (head(owner), std::cmp::Reverse(owner.upstream)))
    }

    /// A JSON array of all definitions.
    #[must_use]
    pub fn definitions(&self) -> Bytes {
        self.definitions.clone()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }
}

fn prompt_names(
    offered: &[(&config::Upstream, Vec<Item>)],
    limit: usize,
) -> Vec<Vec<Option<Box<str>>>> {
    let offers: Vec<_> = offered
        .iter()
        .map(|(config, items)| Offer {
            upstream: config.name.as_str(),
            prefix: &config.prefix,
            tools: items.iter().map(|item| &*item.key).collect(),
        })
        .collect();
    let names = public_names(&offers, limit).into_iter();
    let boxed = |name: Option<Cow<'_, str>>| name.map(Box::from);
    names
        .map(|names| names.into_iter().map(boxed).collect())
        .collect()
}

/// The definition under the key by which the client knows it; nothing else of it changes.
fn known_as<'a>(item: &'a Item, kind: Kind, public: &str) -> Cow<'a, [u8]> {
    if *item.key == *public {
        return Cow::Borrowed(&item.definition);
    }
    let mut splice = Splice::new(&item.definition);
    for member in members(&item.definition).filter(|member| member.key() == kind.key()) {
        splice.replace(member.span(), json!(public).to_string().into_bytes());
    }
    Cow::Owned(splice.finish())
}

#[cfg(test)]
mod tests;
