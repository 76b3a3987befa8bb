//! Prompts, resources and resource templates: what a server offers besides tools. They are read
//! when a client asks for them, not before.

use std::sync::Arc;

use super::pagination;
use crate::protocol::{Item, ItemKind};
use crate::upstream::connection::Live;
use crate::upstream::error::TransportError;
use crate::upstream::error::reported::UpstreamError;
use crate::upstream::handle::Upstream;

impl Upstream {
    /// Whether it is connected and declares things of this kind.
    #[must_use]
    pub fn offers(&self, kind: ItemKind) -> bool {
        self.ready().is_some_and(|live| live.profile.offers(kind))
    }

    /// Lists all that it offers of this kind; nothing when it is not connected.
    ///
    /// # Errors
    /// [`UpstreamError`], when the listing could not be read.
    pub async fn items(&self, kind: ItemKind) -> Result<Vec<Item>, UpstreamError> {
        let Some(live) = self.ready() else {
            return Ok(Vec::new());
        };
        let items = self.read_items(&live, kind).await;
        let items = items.map_err(|cause| self.error(kind.list_method(), cause))?;
        self.shared.memory.give(kind, items.clone());
        Ok(items.to_vec())
    }

    /// Lists all of this kind, and remembers it.
    pub(crate) async fn read_items(
        &self,
        live: &Live,
        kind: ItemKind,
    ) -> Result<Arc<Vec<Item>>, TransportError> {
        let changes = self.shared.memory.changes(kind);
        let mut items = Vec::new();
        pagination::all(live, kind.list_method(), kind.member(), |definition| {
            items.extend(Item::read(definition, kind));
        })
        .await?;
        let items = Arc::new(items);
        self.shared.memory.read(kind, &items, changes);
        Ok(items)
    }
}
