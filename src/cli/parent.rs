//! The process that started us, and its end.
//!
//! A client that dies closes our stdin, unless another process has a copy of that pipe's other end:
//! a helper of the client's, or another server that it started at the same moment. Then nothing is
//! ever closed, and it is the system's giving us another parent by which we learn of its death.

use std::time::Duration;

/// How often to look: nothing tells of it, and looking is one system call. An end that comes two
/// seconds late harms nobody, as there is nobody left.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// What takes over processes whose parent is gone; 0 is a parent outside of a container.
const INIT: u32 = 1;

/// Waits until the process that started us is gone; for ever where it cannot be told, or where
/// nothing but `init` is above us from the start.
///
/// The parent is the one at this call, or the one when `client_line` is ready: a launcher that went
/// before the client spoke was none to lose.
pub(super) async fn parent_gone(client_line: impl Future<Output = ()>) {
    wait_for_change(parent_id, client_line).await;
}

#[cfg(unix)]
fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

/// Elsewhere nobody gets another parent.
#[cfg(not(unix))]
fn parent_id() -> u32 {
    0
}

async fn wait_for_change(parent: impl Fn() -> u32, client_line: impl Future<Output = ()>) {
    let mut parent_id = parent();
    let mut client_line = std::pin::pin!(client_line);
    let mut silent = true;
    while parent_id > INIT {
        tokio::select! {
            biased;
            () = &mut client_line, if silent => {
                silent = false;
                parent_id = parent();
            }
            () = tokio::time::sleep(POLL_INTERVAL) => {
                if parent() != parent_id {
                    return;
                }
            }
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use tokio::time::timeout;

    use super::*;

    /// Whether the end is noticed when `first` is the parent for three seconds, and `then` is after.
    async fn is_noticed(first: u32, then: u32, client_line: impl Future<Output = ()>) -> bool {
        let parent = Cell::new(first);
        let change = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            parent.set(then);
            pending::<()>().await;
        };
        tokio::select! {
            () = change => false,
            ended = timeout(Duration::from_secs(60), wait_for_change(|| parent.get(), client_line)) => ended.is_ok(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_parent_that_goes_is_noticed_whether_or_not_the_client_spoke() {
        for after in [1, 7] {
            assert!(is_noticed(100, after, ready(())).await);
            assert!(is_noticed(100, after, pending()).await);
        }
        assert!(!is_noticed(100, 100, ready(())).await);
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_parent_none_is_lost() {
        for none in [0, 1] {
            assert!(!is_noticed(none, 100, ready(())).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_launcher_that_goes_before_the_client_speaks_is_no_parent() {
        let late = || tokio::time::sleep(Duration::from_millis(3500));
        assert!(!is_noticed(100, 1, late()).await);
        assert!(!is_noticed(100, 7, late()).await);
    }
}
