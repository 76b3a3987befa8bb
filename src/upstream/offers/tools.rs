//! What one upstream offers: the definitions of its tools, as it wrote them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;

use super::pagination;
use crate::protocol::Era;
use crate::protocol::Tool;
use crate::upstream::connection::Live;
use crate::upstream::error::TransportError;
use crate::upstream::handle::Upstream;
use crate::wire::Message;

/// The method that lists tools, and the member of its result that holds them.
const METHOD: &str = "tools/list";
const MEMBER: &str = "tools";

/// How long a call waits for a fresh listing.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);

/// All tools of one upstream, in its order.
#[derive(Debug, Default, PartialEq)]
pub struct Listing {
    /// The tools.
    pub tools: Vec<Tool>,
}

impl Listing {
    /// Reads all pages of `tools/list`.
    pub(crate) async fn fetch(live: &Live) -> Result<Self, TransportError> {
        let mut listing = Self::default();
        pagination::all(live, METHOD, MEMBER, |definition| {
            listing
                .tools
                .extend(Tool::read(definition, live.profile.era));
        })
        .await?;
        listing.leave_out_repeats();
        Ok(listing)
    }

    /// Adds the tools of one page, the answer to a `tools/list` in the server's era; returns the
    /// cursor of the next page.
    ///
    /// # Errors
    /// [`TransportError`], when the answer is an error or not a page. An upstream that does not
    /// know `tools/list` has no tools.
    pub fn take_page(
        &mut self,
        answer: &Message,
        era: Era,
    ) -> Result<Option<String>, TransportError> {
        pagination::read(answer, METHOD, MEMBER, |definition| {
            self.tools.extend(Tool::read(definition, era));
        })
    }

    /// Keeps the first of several tools with one name: no other could ever be called.
    fn leave_out_repeats(&mut self) {
        let mut names = HashSet::with_capacity(self.tools.len());
        let before = self.tools.len();
        self.tools.retain(|tool| names.insert(tool.name.clone()));
        let repeated = before - self.tools.len();
        if repeated > 0 {
            warn!(repeated, "leaving out tools that are listed twice");
        }
    }
}

impl Upstream {
    /// Has the listing read afresh.
    pub fn relist(&self) {
        self.shared.relist.notify_one();
    }

    /// Has the listing read afresh, waits until that is done or a while has passed,
    /// and returns what is known then.
    pub async fn refresh(&self) -> Option<Arc<Listing>> {
        let mut listed = self.shared.listed.subscribe();
        listed.mark_unchanged();
        self.shared.relist.notify_one();
        let _ = timeout(REFRESH_TIMEOUT, listed.changed()).await;
        self.listing()
    }
}
