//! Reads all pages of a listing (MCP § Pagination).

use std::collections::HashSet;

use bytes::Bytes;
use serde_json::json;
use serde_json::value::RawValue;
use tracing::warn;

use crate::protocol::reply::error_text;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::wire::outgoing::code;
use crate::wire::splice::{decode, last_member};
use crate::wire::{Member, Message};

/// The most pages that are read of one listing: a server may never end it.
const MAX_PAGES: usize = 1000;

/// Requests all pages of a listing, and passes each definition in the member `member_name` of their results
/// to `on_definition`.
pub(crate) async fn fetch_all(
    connection: &Connection,
    method: &'static str,
    member_name: &str,
    mut on_definition: impl FnMut(Bytes),
) -> Result<(), TransportError> {
    let mut cursors = HashSet::new();
    let mut params = json!({});
    for _ in 0..MAX_PAGES {
        let response = connection.request(method, params).await?;
        let Some(cursor) = read_page(&response, method, member_name, &mut on_definition)? else {
            return Ok(());
        };
        params = json!({"cursor": cursor});
        if !cursors.insert(cursor) {
            warn!(
                method,
                "the server sent a cursor of its listing twice; listing cut off"
            );
            return Ok(());
        }
    }
    warn!(
        method,
        pages = MAX_PAGES,
        "the listing has too many pages; listing cut off"
    );
    Ok(())
}

/// Passes the definitions of one page to `on_definition`, and returns the cursor of the next page.
pub(crate) fn read_page(
    response: &Message,
    method: &str,
    member_name: &str,
    mut on_definition: impl FnMut(Bytes),
) -> Result<Option<String>, TransportError> {
    let Some(result) = response.result() else {
        return match response.error_code() {
            // A server without items of this kind may lack the method.
            Some(code::METHOD_NOT_FOUND) => Ok(None),
            _ => {
                let text = error_text(response);
                Err(TransportError::Handshake(format!("`{method}`: {text}")))
            }
        };
    };
    let malformed = |what: &str| TransportError::Malformed(format!("`{method}`: {what}"));
    if result.first() != Some(&b'{') {
        return Err(malformed("the result is not an object"));
    }
    let member = |key: &str| last_member(result, key);
    if let Some(list) = member(member_name) {
        let list: Vec<&RawValue> = serde_json::from_slice(list.value())
            .map_err(|e| malformed(&format!("`{member_name}` is not a list: {e}")))?;
        for definition in list {
            on_definition(response.bytes().slice_ref(definition.get().as_bytes()));
        }
    }
    let cursor = |member: Member<'_>| decode(member.value()).map(std::borrow::Cow::into_owned);
    Ok(member("nextCursor").and_then(cursor))
}

#[cfg(test)]
mod tests;
