//! What all processes know of the logins of one upstream: the one that waits for a person, and how
//! often a person was asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pending::Pending;
use crate::oauth::tokens::{Members, Timestamp};

/// How long a person has to sign in.
pub(in crate::oauth) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The longest time between two pages that are opened by themselves.
const LAST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// What `login.json` holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::oauth) struct Logins {
    /// The login that waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::oauth) pending: Option<Pending>,
    /// How many pages were opened by themselves since a login was of use.
    #[serde(default)]
    opened: u32,
    /// When the last of them was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened_at: Option<Timestamp>,
    /// Whether somebody signed in since.
    #[serde(default)]
    finished: bool,
    /// When somebody last signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<Timestamp>,
    /// The scope that was asked for then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::oauth) asked: Option<String>,
    /// The scope that a request lacked and nobody has granted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::oauth) wanted: Option<String>,
    /// Whether somebody signed out, and so does not want to be asked.
    #[serde(default)]
    pub(in crate::oauth) signed_out: bool,
    /// Members of other versions.
    #[serde(flatten)]
    other: Members,
}

impl Logins {
    /// After somebody signed out.
    pub(in crate::oauth) fn signed_out() -> Self {
        Self {
            signed_out: true,
            ..Self::default()
        }
    }

    /// The login that waits, if a person may still finish it.
    pub(in crate::oauth) fn pending(&self, now: Timestamp) -> Option<&Pending> {
        let pending = self.pending.as_ref();
        pending.filter(|pending| now.after(pending.begun_at) < LIFETIME)
    }

    /// Whether a page may be opened by itself: not soon after one that nobody finished, nor after one
    /// that was of no use, and ever more seldom.
    pub(in crate::oauth) fn may_open(&self, now: Timestamp, pause: Duration) -> bool {
        let Some(last) = self.opened_at else {
            return true;
        };
        let doublings = self.opened.saturating_sub(1).min(16);
        let longer = pause
            .saturating_mul(1 << doublings)
            .min(LAST_PAUSE.max(pause));
        // A page that nobody finished may have been looked at until it lapsed.
        let over = match self.finished {
            true => last,
            false => last.plus(LIFETIME),
        };
        self.was_of_use(now, pause) || now.after(over) >= longer
    }

    /// A page is about to be opened by itself.
    pub(in crate::oauth) fn open(&mut self, now: Timestamp, pause: Duration) {
        if self.was_of_use(now, pause) {
            self.opened = 0;
        }
        self.opened = self.opened.saturating_add(1);
        self.opened_at = Some(now);
        self.finished = false;
    }

    /// Somebody signed in.
    pub(in crate::oauth) fn signed_in(&mut self, now: Timestamp, asked: Option<String>) {
        self.pending = None;
        self.signed_out = false;
        self.finished = true;
        self.wanted = None;
        self.signed_in_at = Some(now);
        self.asked = asked;
    }

    /// Whether somebody signed in so recently that asking for the same again leads nowhere.
    pub(in crate::oauth) fn is_recent(&self, now: Timestamp, pause: Duration) -> bool {
        self.signed_in_at.is_some_and(|at| now.after(at) < pause)
    }

    /// Whether the last page was opened and left: it may have said that it does not know the client.
    pub(in crate::oauth) fn is_unfinished(&self) -> bool {
        self.opened_at.is_some() && !self.is_finished()
    }

    /// Whether somebody signed in after the last page was opened.
    pub(in crate::oauth) fn is_finished(&self) -> bool {
        // Times would not tell which was first within a second.
        self.finished
    }

    /// Whether the last page led to a login that lasted.
    fn was_of_use(&self, now: Timestamp, pause: Duration) -> bool {
        self.is_finished() && !self.is_recent(now, pause)
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
    fn a_page_that_nobody_finished_is_not_opened_again_for_a_while() {
        let mut logins = Logins::default();
        assert!(logins.may_open(at(0), PAUSE));
        logins.open(at(0), PAUSE);
        assert!(
            !logins.may_open(at(1199), PAUSE),
            "it counts from the lapse"
        );
        assert!(logins.may_open(at(1200), PAUSE));
        logins.open(at(1200), PAUSE);
        let twice = "the second pause is twice the first";
        assert!(!logins.may_open(at(2999), PAUSE), "{twice}");
        assert!(logins.may_open(at(3000), PAUSE));
        for _ in 0..40 {
            logins.open(at(0), PAUSE);
        }
        assert!(
            logins.may_open(at(24 * 60 * 60 + 600), PAUSE),
            "a day is the longest"
        );
    }

    #[test]
    fn a_page_that_is_opened_right_after_a_login_is_not_finished_by_it() {
        let mut logins = Logins::default();
        assert!(!logins.is_finished());
        logins.open(at(0), PAUSE);
        logins.signed_in(at(0), None);
        assert!(logins.is_finished());
        logins.open(at(0), PAUSE);
        assert!(!logins.is_finished());
    }

    #[test]
    fn a_login_that_lasted_makes_up_for_the_pages_before() {
        let mut logins = Logins::default();
        logins.open(at(0), PAUSE);
        logins.open(at(0), PAUSE);
        logins.signed_in(at(10), None);
        assert!(
            !logins.may_open(at(100), PAUSE),
            "the token of just now is refused"
        );
        assert!(logins.may_open(at(611), PAUSE));
        logins.open(at(611), PAUSE);
        assert!(logins.may_open(at(1811), PAUSE), "the first pause again");
    }
}
