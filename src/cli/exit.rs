//! The exit statuses of commands, and the errors of commands.

/// The status for a wrong call or configuration, as of `grep`, `git` and others.
pub(super) const BAD_CONFIGURATION: u8 = 2;

/// The status after Ctrl-C, as in shells.
pub(super) const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum CommandError {
    /// The arguments or the configuration are wrong.
    Usage(String),
    /// The command could not do its work.
    Failed(String),
}
