//! Commands to the supervisor of a session.

use futures_util::FutureExt as _;
use tokio::sync::Notify;

/// A command for the supervisor of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Make the next attempt earlier than scheduled.
    Connect(Urgency),
    /// Read the tools again.
    RefreshTools,
    /// Reset the retry budget and the backoff, and connect at once.
    ResetBudget,
    /// Check whether the server still knows the session.
    Verify,
    /// Check whether the server still speaks its revision.
    CheckRevision,
}

/// How early the next attempt is made, by the call that needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// The call has waited for an attempt that failed.
    Waiting,
    /// The call has not waited yet.
    NewCall,
}

/// The pending commands, at most one of each kind.
///
/// One permit for each kind merges equal commands and loses none. The jobs that receive commands run
/// concurrently, so one queue would need a dispatcher. It would also grow with the number of calls.
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
    /// Sends a command. If one of its kind is pending, the two are merged.
    pub(crate) fn send(&self, command: Command) {
        self.permit(command).notify_one();
    }

    /// Waits for a command of this kind, and consumes it. Cancel safe.
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
    fn equal_commands_are_merged() {
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
