//! `tasks/list`: the tasks of everyone who lists theirs, on one page.

use std::sync::Arc;

use futures_util::future::join_all;

use super::listings::in_time;
use crate::protocol::Era;
use crate::protocol::reply::unknown;
use crate::protocol::task::Task;
use crate::router::Router;
use crate::upstream::Connection;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

impl Router {
    /// Answers `tasks/list`: the tasks of all upstreams that list theirs, on one page.
    pub(crate) async fn list_tasks(self: &Arc<Self>, request: Message, client: Era) {
        if self.refuse_cursor(&request).await {
            return;
        }
        self.relay(
            request,
            client,
            "tasks".to_owned(),
            |router, request| async move {
                match router.read_tasks().await {
                    Some(tasks) => Line::result(&request.id, tasks),
                    None => request.refused(code::METHOD_NOT_FOUND, &unknown("tasks/list")),
                }
            },
        )
        .await;
    }

    /// The result of `tasks/list`; `None` where nobody lists any.
    async fn read_tasks(&self) -> Option<Vec<u8>> {
        self.heard().await;
        let lists = |live: Arc<Connection>| live.profile.declares_of_tasks("/list");
        let upstreams = self.upstreams.all();
        let listing = upstreams.iter().filter(|u| u.ready().is_some_and(lists));
        let all = listing.map(|upstream| async move {
            let tasks = in_time(upstream, "tasks/list", upstream.tasks()).await;
            (upstream.id(), tasks.unwrap_or_default())
        });
        let all = join_all(all).await;
        if all.is_empty() {
            return None;
        }
        let mut out = br#"{"tasks":["#.to_vec();
        let mut first = true;
        for (upstream, task) in all
            .iter()
            .flat_map(|(u, tasks)| tasks.iter().map(|t| (*u, t)))
        {
            if let Some(task) = Task::read(task) {
                if self.owned.is_followed(upstream, &task.id) {
                    continue;
                }
                self.owned.learn(Era::Legacy, &task.id, upstream);
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(task);
        }
        out.extend_from_slice(b"]}");
        Some(out)
    }
}
