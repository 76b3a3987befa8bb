//! Prompts, resources and resource templates, as their server wrote them.

use std::sync::Arc;

use bytes::Bytes;

use crate::wire::splice::{decode, members};

/// A kind of thing that servers list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// Known by their names.
    Prompts,
    /// Known by their URIs.
    Resources,
    /// Known by their URI templates (RFC 6570).
    ResourceTemplates,
}

impl ItemKind {
    /// Every kind, in the order of their places in what is kept of each.
    pub const ALL: [Self; 3] = [Self::Prompts, Self::Resources, Self::ResourceTemplates];

    /// What this method lists.
    #[must_use]
    pub fn from_list_method(method: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.list_method() == method)
    }

    /// What changed, by this notification.
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

    /// The notification of a change of them.
    #[must_use]
    pub fn change_notification(self) -> &'static str {
        match self {
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources | Self::ResourceTemplates => "notifications/resources/list_changed",
        }
    }

    /// The method that lists them.
    #[must_use]
    pub fn list_method(self) -> &'static str {
        match self {
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::ResourceTemplates => "resources/templates/list",
        }
    }

    /// The member of its result that holds them.
    #[must_use]
    pub fn result_member(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
        }
    }

    /// The member of each by which it is known.
    #[must_use]
    pub fn key_member(self) -> &'static str {
        match self {
            Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }

    /// The capability that a server declares for them.
    pub(crate) fn capability(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources | Self::ResourceTemplates => "resources",
        }
    }
}

/// All prompts, resources or templates of one upstream, in its order. Cheap to clone.
pub type ItemList = Arc<Vec<Item>>;

/// One prompt, resource or template of an upstream.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is known by: the decoded value of [`ItemKind::key_member`].
    pub key: Box<str>,
    /// The same as the upstream wrote it: a JSON string, a slice of the definition.
    pub quoted_key: Bytes,
    /// What else it is called: its decoded `name`, if that is not the key.
    name: Option<Box<str>>,
    /// Its definition, a slice of the page that it came on.
    pub definition: Bytes,
}

impl Item {
    /// An item by its definition, a JSON object; `None` without a key that could be asked for.
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

    /// What it goes by, for a filter: its key and its name.
    #[must_use]
    pub fn names(&self) -> [&str; 2] {
        [&self.key, self.name.as_deref().unwrap_or(&self.key)]
    }
}

#[cfg(test)]
mod tests;
