//! Reads the prompts, resources and resource templates of one upstream when a client lists them.

use super::pagination;
use crate::protocol::{Item, ItemKind};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;

/// Reads all items of one kind.
pub(crate) async fn fetch(
    connection: &Connection,
    kind: ItemKind,
) -> Result<Vec<Item>, TransportError> {
    let mut items = Vec::new();
    pagination::fetch_all(
        connection,
        kind.list_method(),
        kind.result_member(),
        |definition| {
            items.extend(Item::read(definition, kind));
        },
    )
    .await?;
    Ok(items)
}
