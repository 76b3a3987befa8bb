//! Bounds of the whole program, each with a default that suits the common clients.

use std::time::Duration;

use super::problem::Problem;
use super::{Environment, value, variable};

/// How large, long and patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest message that passes, in bytes (`PROXY_MAX_MESSAGE_BYTES`).
    ///
    /// Far above what any client takes, so that it only stops what never ends.
    pub message_bytes: usize,
    /// How long the first listing waits for upstreams that show life (`PROXY_STARTUP_WAIT`).
    ///
    /// Clients give a server 30 s to list its tools.
    pub startup_wait: Duration,
    /// The longest public tool name, in characters (`PROXY_TOOL_NAME_LENGTH`).
    ///
    /// Model APIs take 64 of them; longer names are shortened, reversibly.
    pub tool_name_length: usize,
}

/// The shortest name length in which names can still be told apart.
const MIN_NAME_LENGTH: usize = 16;

/// The smallest message size in which a handshake fits.
const MIN_MESSAGE_BYTES: usize = 4096;

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 256 << 20,
            startup_wait: Duration::from_secs(5),
            tool_name_length: 64,
        }
    }
}

impl Limits {
    pub(super) fn read(environment: &Environment, problems: &mut Vec<Problem>) -> Self {
        let default = Self::default();
        let at_least = |min: usize| {
            move |text: &str| match value::size(text)? {
                size if size < min => Err(format!("is less than {min}; raise it")),
                size => Ok(size),
            }
        };
        let bytes = at_least(MIN_MESSAGE_BYTES);
        let bytes = variable(environment, "PROXY_MAX_MESSAGE_BYTES", bytes, problems);
        let wait = variable(environment, "PROXY_STARTUP_WAIT", value::duration, problems);
        let length = at_least(MIN_NAME_LENGTH);
        let length = variable(environment, "PROXY_TOOL_NAME_LENGTH", length, problems);
        Self {
            message_bytes: bytes.unwrap_or(default.message_bytes),
            startup_wait: wait.unwrap_or(default.startup_wait),
            tool_name_length: length.unwrap_or(default.tool_name_length),
        }
    }
}
