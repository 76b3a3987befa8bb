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
    /// How long a call waits for an upstream that is away (`PROXY_CONNECT_WAIT`), but no longer than
    /// for its answer.
    ///
    /// A restart takes as long; the clients' 30 s for a call at their shortest are not over then.
    pub connect_wait: Duration,
    /// The longest public tool name, in characters (`PROXY_TOOL_NAME_LENGTH`).
    ///
    /// Model APIs take 64 of them; longer names are shortened, reversibly.
    pub tool_name_length: usize,
    /// How long a call waits for its client to answer what a server asks in the middle of it
    /// (`PROXY_INPUT_WAIT`).
    ///
    /// A person may have to be found first.
    pub input_wait: Duration,
    /// How many calls may wait for that at a time, parked (`PROXY_PARKED_CALLS`).
    pub parked_calls: usize,
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
            connect_wait: Duration::from_secs(25),
            tool_name_length: 64,
            input_wait: Duration::from_secs(600),
            parked_calls: 256,
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
        let connect = variable(environment, "PROXY_CONNECT_WAIT", value::duration, problems);
        let length = at_least(MIN_NAME_LENGTH);
        let length = variable(environment, "PROXY_TOOL_NAME_LENGTH", length, problems);
        let input = variable(environment, "PROXY_INPUT_WAIT", value::duration, problems);
        let parked = variable(environment, "PROXY_PARKED_CALLS", at_least(1), problems);
        Self {
            message_bytes: bytes.unwrap_or(default.message_bytes),
            startup_wait: wait.unwrap_or(default.startup_wait),
            connect_wait: connect.unwrap_or(default.connect_wait),
            tool_name_length: length.unwrap_or(default.tool_name_length),
            input_wait: input.unwrap_or(default.input_wait),
            parked_calls: parked.unwrap_or(default.parked_calls),
        }
    }
}
