//! The tools of one upstream, as the server wrote them.

use std::collections::HashSet;

use tracing::warn;

use super::pagination;
use crate::protocol::{Era, Tool};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::wire::Message;

/// The method that lists tools.
const METHOD: &str = "tools/list";
/// The member of its result that holds the tools.
const MEMBER: &str = "tools";

/// All tools of one upstream, in the server's order.
#[derive(Debug, Default, PartialEq)]
pub struct ToolList {
    /// The tools.
    pub tools: Vec<Tool>,
}

impl ToolList {
    /// Reads all pages of `tools/list`.
    pub(crate) async fn fetch(connection: &Connection) -> Result<Self, TransportError> {
        let mut list = Self::default();
        pagination::fetch_all(connection, METHOD, MEMBER, |definition| {
            list.tools
                .extend(Tool::read(definition, connection.server_profile.era));
        })
        .await?;
        list.remove_duplicates();
        Ok(list)
    }

    /// Adds the tools of one page, which is a response to `tools/list` in the server's era. Returns the
    /// cursor of the next page.
    ///
    /// # Errors
    /// [`TransportError`], if the response is an error or not a page. A server without the method
    /// `tools/list` has no tools.
    pub fn add_page(
        &mut self,
        response: &Message,
        era: Era,
    ) -> Result<Option<String>, TransportError> {
        pagination::read_page(response, METHOD, MEMBER, |definition| {
            self.tools.extend(Tool::read(definition, era));
        })
    }

    /// Keeps the first of several tools with one name, since a call reaches only that one.
    fn remove_duplicates(&mut self) {
        let mut names = HashSet::with_capacity(self.tools.len());
        let before = self.tools.len();
        self.tools.retain(|tool| names.insert(tool.name.clone()));
        let duplicates = before - self.tools.len();
        if duplicates > 0 {
            warn!(
                duplicates,
                "tools listed twice; keeping the first of each name"
            );
        }
    }
}
