//! The record of one upstream's logins, which all processes share: the pending login, and how often
//! pages were opened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pending::PendingLogin;
use crate::oauth::tokens::{Members, Timestamp};

/// How long the user has to sign in.
pub(in crate::oauth) const PENDING_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The longest pause between two pages that open in the background.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The content of `login.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::oauth) struct LoginRecord {
    /// The login that waits for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::oauth) pending: Option<PendingLogin>,
    /// How many pages opened in the background since the last lasting login.
    #[serde(default, rename = "opened")]
    pages_opened: u32,
    /// When the last of these pages opened.
    #[serde(default, rename = "opened_at")]
    #[serde(skip_serializing_if = "Option::is_none")]
    page_opened_at: Option<Timestamp>,
    /// Whether the user signed in after that.
    #[serde(default)]
    finished: bool,
    /// When the user last signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<Timestamp>,
    /// The scope requested in that sign-in.
    #[serde(default, rename = "asked")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::oauth) requested_scope: Option<String>,
    /// The scope that a request lacked and that is still not granted.
    #[serde(default, rename = "wanted")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::oauth) missing_scope: Option<String>,
    /// Whether the user signed out: no page opens in the background then.
    #[serde(default)]
    pub(in crate::oauth) signed_out: bool,
    /// Members of other versions.
    #[serde(flatten)]
    other: Members,
}

impl LoginRecord {
    /// Returns the record after a logout.
    pub(in crate::oauth) fn after_logout() -> Self {
        Self {
            signed_out: true,
            ..Self::default()
        }
    }

    /// Returns the pending login, unless it has expired.
    pub(in crate::oauth) fn pending(&self, now: Timestamp) -> Option<&PendingLogin> {
        let pending = self.pending.as_ref();
        pending.filter(|pending| now.duration_since(pending.begun_at) < PENDING_LIFETIME)
    }

    /// Returns `true` if a page may open in the background. The pause after a page that was not
    /// completed, or whose login did not last, doubles each time.
    pub(in crate::oauth) fn may_open_page(&self, now: Timestamp, pause: Duration) -> bool {
        let Some(last) = self.page_opened_at else {
            return true;
        };
        let doublings = self.pages_opened.saturating_sub(1).min(16);
        let longer = pause
            .saturating_mul(1 << doublings)
            .min(MAX_PAUSE.max(pause));
        // The user may have had an uncompleted page open until it expired.
        let over = match self.finished {
            true => last,
            false => last.plus(PENDING_LIFETIME),
        };
        self.has_lasting_sign_in(now, pause) || now.duration_since(over) >= longer
    }

    /// Records that a page opens in the background.
    pub(in crate::oauth) fn record_page(&mut self, now: Timestamp, pause: Duration) {
        if self.has_lasting_sign_in(now, pause) {
            self.pages_opened = 0;
        }
        self.pages_opened = self.pages_opened.saturating_add(1);
        self.page_opened_at = Some(now);
        self.finished = false;
    }

    /// Records that the user signed in.
    pub(in crate::oauth) fn record_sign_in(
        &mut self,
        now: Timestamp,
        requested_scope: Option<String>,
    ) {
        self.pending = None;
        self.signed_out = false;
        self.finished = true;
        self.missing_scope = None;
        self.signed_in_at = Some(now);
        self.requested_scope = requested_scope;
    }

    /// Returns `true` if the last sign-in is so recent that another one would not help.
    pub(in crate::oauth) fn has_recent_sign_in(&self, now: Timestamp, pause: Duration) -> bool {
        self.signed_in_at
            .is_some_and(|at| now.duration_since(at) < pause)
    }

    /// Returns `true` if the last page was not completed. It may have shown that the server does
    /// not know the client.
    pub(in crate::oauth) fn has_unfinished_page(&self) -> bool {
        self.page_opened_at.is_some() && !self.has_finished_page()
    }

    /// Returns `true` if the user signed in after the last page opened.
    pub(in crate::oauth) fn has_finished_page(&self) -> bool {
        // Two timestamps within one second would not show the order.
        self.finished
    }

    /// Returns `true` if the last page led to a login that lasted.
    fn has_lasting_sign_in(&self, now: Timestamp, pause: Duration) -> bool {
        self.has_finished_page() && !self.has_recent_sign_in(now, pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(600);

    fn at(seconds: u64) -> Timestamp {
        Timestamp(1_700_000_000 + seconds)
    }

    #[test]
    fn after_an_uncompleted_page_the_pause_doubles() {
        let mut record = LoginRecord::default();
        assert!(record.may_open_page(at(0), PAUSE));
        record.record_page(at(0), PAUSE);
        assert!(
            !record.may_open_page(at(1199), PAUSE),
            "counted from the expiry"
        );
        assert!(record.may_open_page(at(1200), PAUSE));
        record.record_page(at(1200), PAUSE);
        let twice = "the second pause is twice the first";
        assert!(!record.may_open_page(at(2999), PAUSE), "{twice}");
        assert!(record.may_open_page(at(3000), PAUSE));
        for _ in 0..40 {
            record.record_page(at(0), PAUSE);
        }
        assert!(
            record.may_open_page(at(24 * 60 * 60 + 600), PAUSE),
            "a day is the longest pause"
        );
    }

    #[test]
    fn a_page_opened_after_a_login_is_not_completed_by_it() {
        let mut record = LoginRecord::default();
        assert!(!record.has_finished_page());
        record.record_page(at(0), PAUSE);
        record.record_sign_in(at(0), None);
        assert!(record.has_finished_page());
        record.record_page(at(0), PAUSE);
        assert!(!record.has_finished_page());
    }

    #[test]
    fn a_lasting_login_resets_the_pause() {
        let mut record = LoginRecord::default();
        record.record_page(at(0), PAUSE);
        record.record_page(at(0), PAUSE);
        record.record_sign_in(at(10), None);
        assert!(
            !record.may_open_page(at(100), PAUSE),
            "the new token is refused"
        );
        assert!(record.may_open_page(at(611), PAUSE));
        record.record_page(at(611), PAUSE);
        assert!(
            record.may_open_page(at(1811), PAUSE),
            "the first pause again"
        );
    }
}
