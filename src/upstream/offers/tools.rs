//! The tools of one upstream, as the server wrote them.

use std::collections::HashSet;

use tracing::warn;

use super::pagination;
use crate::protocol::{Era, Tool};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::wire::Message;

/// The method that lists tools, and the member of its result that holds them.
const METHOD: &str = "tools/list";
const MEMBER: &str = "tools";

/// All tools of one upstream, in its order.
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
                .extend(Tool::read(definition, connection.profile.era));
        })
        .await?;
        list.remove_duplicates();
        Ok(list)
    }

    /// Adds the tools of one page, the answer to a `tools/list` in the server's era; returns the
    /// cursor of the next page.
    ///
    /// # Errors
    /// [`TransportError`], when the answer is an error or not a page. An upstream that does not
    /// know `tools/list` has no tools.
    pub fn add_page(
        &mut self,
        answer: &Message,
        era: Era,
    ) -> Result<Option<String>, TransportError> {
        pagination::read_page(answer, METHOD, MEMBER, |definition| {
            self.tools.extend(Tool::read(definition, era));
        })
    }

    /// Keeps the first of several tools with one name, since a call reaches that one alone.
    fn remove_duplicates(&mut self) {
        let mut names = HashSet::with_capacity(self.tools.len());
        let before = self.tools.len();
        self.tools.retain(|tool| names.insert(tool.name.clone()));
        let duplicates = before - self.tools.len();
        if duplicates > 0 {
            warn!(duplicates, "leaving out tools that are listed twice");
        }
    }
}
