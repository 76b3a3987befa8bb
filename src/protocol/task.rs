//! Tasks of servers of either era. Pure.

use std::time::Duration;

use bytes::Bytes;

use crate::protocol::Era;
use crate::wire::Message;
use crate::wire::splice::{decode, last_member};

/// The poll interval for a task whose server names none.
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The limits of a server's poll interval. They prevent a busy loop, and a call that ends long after its
/// task.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(60);

/// The status of a task. An unknown status counts as `Working`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    Working,
    InputRequired,
    Completed,
    Failed,
    Cancelled,
}

/// Which side polls a task that a call may create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskMode {
    /// The client, if it requested a task.
    Client,
    /// The proxy, at a legacy upstream. It adds the parameter `task` if the client did not send it.
    ProxyLegacy,
    /// The proxy, at a modern upstream. It declares the extension on behalf of the client.
    ProxyModern,
}

/// A task as described by its server.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: Box<str>,
    /// The id as the server wrote it.
    pub(crate) quoted_id: Bytes,
    pub(crate) status: TaskStatus,
    pub(crate) poll_interval: Duration,
    /// The `statusMessage`.
    pub(crate) message: Option<String>,
}

impl Task {
    /// Reads a task; `None` if the JSON is not a task.
    pub(crate) fn read(task: &Bytes) -> Option<Self> {
        let member = |key: &str| last_member(task, key);
        let id = member("taskId")?;
        let text = |key: &str| decode(member(key)?.value()).map(std::borrow::Cow::into_owned);
        // The extension and 2025-11-25 use different names; both are in milliseconds.
        let poll_interval = member("pollIntervalMs").or_else(|| member("pollInterval"));
        let poll_interval =
            poll_interval.and_then(|ms| serde_json::from_slice::<f64>(ms.value()).ok());
        let poll_interval = poll_interval.map_or(DEFAULT_POLL_INTERVAL, |ms| {
            let longest = MAX_POLL_INTERVAL.as_secs_f64() * 1000.0;
            Duration::from_secs_f64(ms.clamp(0.0, longest) / 1000.0)
        });
        Some(Self {
            id: decode(id.value())?.into(),
            quoted_id: task.slice_ref(id.value()),
            status: match text("status")?.as_str() {
                "input_required" => TaskStatus::InputRequired,
                "completed" => TaskStatus::Completed,
                "failed" => TaskStatus::Failed,
                "cancelled" => TaskStatus::Cancelled,
                _ => TaskStatus::Working,
            },
            poll_interval: poll_interval.max(MIN_POLL_INTERVAL),
            message: text("statusMessage"),
        })
    }

    /// Whether the task is completed, failed or cancelled.
    pub(crate) fn is_terminal(&self) -> bool {
        !matches!(self.status, TaskStatus::Working | TaskStatus::InputRequired)
    }

    /// The task that a response of this era creates, if it does.
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

    /// The task that a response creates, if the proxy must poll it.
    pub(crate) fn created_for_proxy(
        response: &Message,
        task_mode: TaskMode,
        era: Era,
    ) -> Option<Self> {
        match (task_mode, era) {
            (TaskMode::ProxyLegacy, Era::Legacy) | (TaskMode::ProxyModern, Era::Modern) => {
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
    fn a_poll_interval_stays_within_its_limits() {
        for (written, expected) in [
            ("5000", Duration::from_secs(5)),
            ("2.5e2", Duration::from_millis(250)),
            ("0", MIN_POLL_INTERVAL),
            ("-1e400", DEFAULT_POLL_INTERVAL),
            ("-7", MIN_POLL_INTERVAL),
            ("1e300", MAX_POLL_INTERVAL),
            ("null", DEFAULT_POLL_INTERVAL),
            (r#""5""#, DEFAULT_POLL_INTERVAL),
        ] {
            for key in ["pollInterval", "pollIntervalMs"] {
                let task = format!(r#"{{"taskId":"a","status":"working","{key}":{written}}}"#);
                let task = Task::read(&task.into()).unwrap();
                assert_eq!(task.poll_interval, expected, "{written}");
            }
        }
    }

    #[test]
    fn malformed_tasks_are_ignored() {
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
