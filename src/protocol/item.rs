//! Prompts, resources and resource templates, as their server defines them.

use std::sync::Arc;

use bytes::Bytes;

use crate::wire::splice::{decode, members};

/// The kind of a listed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// Identified by name.
    Prompts,
    /// Identified by URI.
    Resources,
    /// Identified by URI template (RFC 6570).
    ResourceTemplates,
}

impl ItemKind {
    /// All kinds. The order is that of the arrays indexed by kind.
    pub const ALL: [Self; 3] = [Self::Prompts, Self::Resources, Self::ResourceTemplates];

    /// The kind that this method lists.
    #[must_use]
    pub fn from_list_method(method: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.list_method() == method)
    }

    /// The kinds whose change this notification announces.
    #[must_use]
    pub fn from_change_notification(notification: &str) -> Option<&'static [Self]> {
        match notification {
            "notifications/prompts/list_changed" => Some(&[Self::Prompts]),
            "notifications/resources/list_changed" => {
                Some(&[Self::Resources, Self::ResourceTemplates])
            }
            _ => None,
        }
    }

    /// The notification that announces a change of this kind.
    #[must_use]
    pub fn change_notification(self) -> &'static str {
        match self {
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources | Self::ResourceTemplates => "notifications/resources/list_changed",
        }
    }

    /// The method that lists this kind.
    #[must_use]
    pub fn list_method(self) -> &'static str {
        match self {
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::ResourceTemplates => "resources/templates/list",
        }
    }

    /// The member of the method's result that holds the items.
    #[must_use]
    pub fn result_member(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
        }
    }

    /// The member of an item that identifies it.
    #[must_use]
    pub fn key_member(self) -> &'static str {
        match self {
            Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }

    /// The server capability for this kind.
    pub(crate) fn capability(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources | Self::ResourceTemplates => "resources",
        }
    }
}

/// All prompts, resources or templates of one upstream, in the order listed. Cheap to clone.
pub type ItemList = Arc<Vec<Item>>;

/// One prompt, resource or template of an upstream.
#[derive(Debug, Clone)]
pub struct Item {
    /// The decoded value of [`ItemKind::key_member`].
    pub key: Box<str>,
    /// The key as the upstream wrote it: a JSON string, a slice of the definition.
    pub quoted_key: Bytes,
    /// The decoded `name`, if that is not the key.
    name: Option<Box<str>>,
    /// The definition, a slice of the listing's page.
    pub definition: Bytes,
}

impl Item {
    /// Reads an item from its definition, a JSON object; `None` without a usable key.
    #[must_use]
    pub fn read(definition: Bytes, kind: ItemKind) -> Option<Self> {
        let (mut key, mut name) = (None, None);
        for member in members(&definition) {
            match &*member.key() {
                found if found == kind.key_member() => key = Some(member),
                "name" => name = Some(member),
                _ => {}
            }
        }
        let key = key?;
        Some(Self {
            key: decode(key.value())?.into(),
            quoted_key: definition.slice_ref(key.value()),
            name: name.and_then(|name| decode(name.value()).map(Box::from)),
            definition,
        })
    }

    /// The key and the name, for a filter.
    #[must_use]
    pub fn names(&self) -> [&str; 2] {
        [&self.key, self.name.as_deref().unwrap_or(&self.key)]
    }
}

#[cfg(test)]
mod tests;
