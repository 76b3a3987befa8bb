//! What a session's supervisor is asked to do.

use futures_util::FutureExt as _;
use tokio::sync::Notify;

/// A command for the supervisor of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Make the next attempt earlier than it is due by itself.
    Connect(Urgency),
    /// Read the tools again.
    RefreshTools,
    /// Connect as if no attempt had ever failed.
    ResetBudget,
    /// Find out whether the server still knows the session.
    Verify,
    /// Find out whether the server still speaks its revision.
    CheckRevision,
}

/// For which call an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// The call has waited for an attempt that failed.
    Waiting,
    /// The call has not waited yet.
    NewCall,
}

/// The commands that are pending, each kind once at most.
///
/// A queue would grow with callers, and its one reader would have to hand each command on: the jobs that
/// take commands run at the same time. One permit a kind merges what is asked twice and loses nothing.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    connect_waiting: Notify,
    connect_new_call: Notify,
    refresh_tools: Notify,
    reset_budget: Notify,
    verify: Notify,
    check_revision: Notify,
}

impl Commands {
    /// Gives a command. One of its kind that is pending already stands for both.
    pub(crate) fn send(&self, command: Command) {
        self.permit(command).notify_one();
    }

    /// Waits for a command of this kind and takes it. Cancel safe.
    pub(crate) async fn wait_for(&self, command: Command) {
        self.permit(command).notified().await;
    }

    /// Drops a pending command of this kind.
    pub(crate) fn discard(&self, command: Command) {
        let _ = self.permit(command).notified().now_or_never();
    }

    fn permit(&self, command: Command) -> &Notify {
        match command {
            Command::Connect(Urgency::Waiting) => &self.connect_waiting,
            Command::Connect(Urgency::NewCall) => &self.connect_new_call,
            Command::RefreshTools => &self.refresh_tools,
            Command::ResetBudget => &self.reset_budget,
            Command::Verify => &self.verify,
            Command::CheckRevision => &self.check_revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_once_however_often_it_was_given() {
        let commands = Commands::default();
        let is_pending = |command| commands.wait_for(command).now_or_never().is_some();
        for _ in 0..3 {
            commands.send(Command::RefreshTools);
        }
        assert!(!is_pending(Command::ResetBudget));
        assert!(is_pending(Command::RefreshTools));
        assert!(!is_pending(Command::RefreshTools));
        commands.send(Command::Connect(Urgency::NewCall));
        commands.discard(Command::Connect(Urgency::Waiting));
        assert!(is_pending(Command::Connect(Urgency::NewCall)));
        commands.send(Command::Connect(Urgency::NewCall));
        commands.discard(Command::Connect(Urgency::NewCall));
        assert!(!is_pending(Command::Connect(Urgency::NewCall)));
    }
}
