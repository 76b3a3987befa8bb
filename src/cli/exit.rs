//! How a command ends: the statuses, and why one did not do what it should.

/// The status for a configuration that cannot be read (as of `grep`, `git` and others).
pub(super) const BAD_CONFIGURATION: u8 = 2;

/// The status after Ctrl-C, as shells have it.
pub(super) const INTERRUPTED: u8 = 130;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(super) enum CommandError {
    /// It was called in a wrong way, or the configuration is wrong.
    Usage(String),
    /// It could not be done.
    Failed(String),
}
