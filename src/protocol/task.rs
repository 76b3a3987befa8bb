//! A task as its server writes it, in either era. Pure.

use std::time::Duration;

use bytes::Bytes;

use crate::protocol::Era;
use crate::wire::Message;
use crate::wire::splice::{decode, last_member};

/// How long to wait between two looks at a task whose server names no time.
const INTERVAL: Duration = Duration::from_secs(1);

/// The bounds of what a server may name: no busy loop, and no call that ends long after its task.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(60);

/// Where a task stands. A word that we do not know counts as `Working`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Working,
    InputRequired,
    Completed,
    Failed,
    Cancelled,
}

/// Who follows a task that may come of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsTask {
    /// The client, if it has asked for one.
    Theirs,
    /// We do, at a legacy upstream: `task` is added where the client has not written it.
    Added,
    /// We do, at a modern upstream: the extension is declared in the client's place.
    Declared,
}

/// What a server says of a task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: Box<str>,
    /// The id as the server wrote it.
    pub(crate) quoted: Bytes,
    pub(crate) status: Status,
    pub(crate) interval: Duration,
    /// The text for people that came with the status.
    pub(crate) message: Option<String>,
}

impl Task {
    /// Reads a task; `None` for what is none.
    pub(crate) fn read(task: &Bytes) -> Option<Self> {
        let member = |key: &str| last_member(task, key);
        let id = member("taskId")?;
        let text = |key: &str| decode(member(key)?.value()).map(std::borrow::Cow::into_owned);
        // 2025-11-25 and the extension have two names for it, in milliseconds both.
        let interval = member("pollIntervalMs").or_else(|| member("pollInterval"));
        let interval = interval.and_then(|ms| serde_json::from_slice::<f64>(ms.value()).ok());
        let interval = interval.map_or(INTERVAL, |ms| {
            let longest = LONGEST.as_secs_f64() * 1000.0;
            Duration::from_secs_f64(ms.clamp(0.0, longest) / 1000.0)
        });
        Some(Self {
            id: decode(id.value())?.into(),
            quoted: task.slice_ref(id.value()),
            status: match text("status")?.as_str() {
                "input_required" => Status::InputRequired,
                "completed" => Status::Completed,
                "failed" => Status::Failed,
                "cancelled" => Status::Cancelled,
                _ => Status::Working,
            },
            interval: interval.max(SHORTEST),
            message: text("statusMessage"),
        })
    }

    /// Whether the task has ended.
    pub(crate) fn has_ended(&self) -> bool {
        !matches!(self.status, Status::Working | Status::InputRequired)
    }

    /// The task that an answer to a call creates, if one of this era does.
    pub(crate) fn created(response: &Message, era: Era) -> Option<Self> {
        let result = response.bytes().slice_ref(response.result()?);
        match era {
            Era::Legacy => Self::read(&result.slice_ref(last_member(&result, "task")?.value())),
            Era::Modern => {
                let kind = last_member(&result, "resultType")?;
                (kind.value() == br#""task""#).then(|| Self::read(&result))?
            }
        }
    }

    /// The same, where it is we who are to follow the task.
    pub(crate) fn ours(response: &Message, wanted: AsTask, era: Era) -> Option<Self> {
        match (wanted, era) {
            (AsTask::Added, Era::Legacy) | (AsTask::Declared, Era::Modern) => {
                Self::created(response, era)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_interval_is_kept_within_bounds() {
        for (written, expected) in [
            ("5000", Duration::from_secs(5)),
            ("2.5e2", Duration::from_millis(250)),
            ("0", SHORTEST),
            ("-1e400", INTERVAL),
            ("-7", SHORTEST),
            ("1e300", LONGEST),
            ("null", INTERVAL),
            (r#""5""#, INTERVAL),
        ] {
            for key in ["pollInterval", "pollIntervalMs"] {
                let task = format!(r#"{{"taskId":"a","status":"working","{key}":{written}}}"#);
                let task = Task::read(&task.into()).unwrap();
                assert_eq!(task.interval, expected, "{written}");
            }
        }
    }

    #[test]
    fn what_is_no_task_is_none() {
        for text in [
            r#"{"taskId":1,"status":"working"}"#,
            r#"{"taskId":"a"}"#,
            r#"{"status":"working"}"#,
            "[]",
            "null",
        ] {
            assert!(Task::read(&Bytes::from(text)).is_none(), "{text}");
        }
    }
}
