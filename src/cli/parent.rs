//! Detects the exit of the parent process.
//!
//! A client that dies closes our stdin, unless another process has a copy of the pipe's other end. A child of
//! the client may have one, or a server that it started at the same moment. Then stdin stays open, but the
//! system gives us another parent process.

use std::time::Duration;

/// How often to check the parent: the system sends no event, and a check is one system call. A delay of
/// two seconds is harmless, since no client is left.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The process that adopts orphaned processes; 0 is a parent outside of the container.
const INIT: u32 = 1;

/// Waits until the parent process has exited.
///
/// If the system does not show that, or the parent is `init` from the start, this waits for ever. The parent
/// is read at this call, and again when `first_line` resolves. So the exit of a launcher before the client's
/// first line does not count.
pub(super) async fn parent_gone(first_line: impl Future<Output = ()>) {
    wait_for_change(parent_id, first_line).await;
}

#[cfg(unix)]
fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

/// Other systems do not change the parent of a process.
#[cfg(not(unix))]
fn parent_id() -> u32 {
    0
}

async fn wait_for_change(parent: impl Fn() -> u32, first_line: impl Future<Output = ()>) {
    let mut parent_id = parent();
    let mut first_line = std::pin::pin!(first_line);
    let mut awaits_first_line = true;
    while parent_id > INIT {
        tokio::select! {
            biased;
            () = &mut first_line, if awaits_first_line => {
                awaits_first_line = false;
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

    /// Returns `true` if the exit is noticed when the parent is `first` for three seconds, and `then` afterwards.
    async fn is_noticed(first: u32, then: u32, first_line: impl Future<Output = ()>) -> bool {
        let parent = Cell::new(first);
        let change = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            parent.set(then);
            pending::<()>().await;
        };
        tokio::select! {
            () = change => false,
            ended = timeout(Duration::from_secs(60), wait_for_change(|| parent.get(), first_line)) => ended.is_ok(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn parent_exit_is_noticed_before_and_after_the_first_line() {
        for after in [1, 7] {
            assert!(is_noticed(100, after, ready(())).await);
            assert!(is_noticed(100, after, pending()).await);
        }
        assert!(!is_noticed(100, 100, ready(())).await);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_parent_no_exit_is_noticed() {
        for none in [0, 1] {
            assert!(!is_noticed(none, 100, ready(())).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn launcher_exit_before_the_first_line_does_not_count() {
        let late = || tokio::time::sleep(Duration::from_millis(3500));
        assert!(!is_noticed(100, 1, late()).await);
        assert!(!is_noticed(100, 7, late()).await);
    }
}
