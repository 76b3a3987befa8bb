//! Prompts, resources and resource templates: what a server offers besides tools. They are read
//! when a client asks for them, not before.

use super::pagination;
use crate::protocol::{Item, ItemKind};
use crate::upstream::connection::Live;
use crate::upstream::error::TransportError;

/// Reads all items of one kind.
pub(crate) async fn fetch(live: &Live, kind: ItemKind) -> Result<Vec<Item>, TransportError> {
    let mut items = Vec::new();
    pagination::all(live, kind.list_method(), kind.member(), |definition| {
        items.extend(Item::read(definition, kind));
    })
    .await?;
    Ok(items)
}
