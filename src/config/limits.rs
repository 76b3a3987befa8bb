//! Bounds of the whole program, each with a default that suits the common clients.

use std::time::Duration;

use super::problem::Problem;
use super::read_variable::variable;
use super::{Environment, value};

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
    /// How long making a connection may take, TLS included (`PROXY_CONNECT_TIMEOUT`).
    pub connect_timeout: Duration,
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
    /// How many requests of the client may be under way in all (`PROXY_MAX_CALLS`).
    ///
    /// Each takes about 10 KiB besides its message.
    pub max_calls: usize,
    /// How many calls run at one upstream at a time (`PROXY_UPSTREAM_CALLS`).
    ///
    /// Each has a connection of its own where the upstream speaks HTTP/1.1.
    pub upstream_calls: usize,
    /// How many more wait there for their turn (`PROXY_QUEUED_CALLS`).
    pub queued_calls: usize,
    /// How many bytes wait for the client to read them before upstreams are read no further
    /// (`PROXY_ANSWER_MEMORY`).
    ///
    /// Several times what a pipe and a model take at once.
    pub answer_memory: usize,
    /// How many lines a second are logged for long (`PROXY_LOG_RATE`); a hundred times as many for a moment.
    ///
    /// A log that nobody rotates grows by a gigabyte a day then, at most.
    pub log_rate: usize,
    /// Whether what upstreams offer is kept on disk for the next start (`PROXY_REMEMBER`).
    pub remember: bool,
}

/// How long making a connection may take: some round trips, and the three times within 7 s that
/// systems ask again.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest name length in which names can still be told apart.
const MIN_NAME_LENGTH: usize = 16;

/// The smallest message size in which a handshake fits.
const MIN_MESSAGE_BYTES: usize = 4096;

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 256 << 20,
            startup_wait: Duration::from_secs(5),
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            connect_wait: Duration::from_secs(25),
            tool_name_length: 64,
            input_wait: Duration::from_secs(600),
            parked_calls: 256,
            max_calls: 2048,
            upstream_calls: 512,
            queued_calls: 1024,
            answer_memory: 64 << 20,
            log_rate: 100,
            remember: true,
        }
    }
}

impl Limits {
    pub(super) fn read(environment: &Environment, problems: &mut Vec<Problem>) -> Self {
        let default = Self::default();
        let mut time = |name| variable(environment, name, value::duration, problems);
        let startup_wait = time("PROXY_STARTUP_WAIT");
        let input_wait = time("PROXY_INPUT_WAIT");
        let connect_wait = time("PROXY_CONNECT_WAIT");
        let remember = variable(environment, "PROXY_REMEMBER", value::switch, problems);
        let connect = connect_timeout(environment, problems);
        let mut size = |name, min| {
            let at_least = |text: &str| match value::size(text)? {
                size if size < min => Err(format!("is less than {min}; raise it")),
                size => Ok(size),
            };
            variable(environment, name, at_least, problems)
        };
        let bytes = size("PROXY_MAX_MESSAGE_BYTES", MIN_MESSAGE_BYTES);
        let length = size("PROXY_TOOL_NAME_LENGTH", MIN_NAME_LENGTH);
        Self {
            message_bytes: bytes.unwrap_or(default.message_bytes),
            startup_wait: startup_wait.unwrap_or(default.startup_wait),
            connect_timeout: connect.unwrap_or(default.connect_timeout),
            connect_wait: connect_wait.unwrap_or(default.connect_wait),
            tool_name_length: length.unwrap_or(default.tool_name_length),
            input_wait: input_wait.unwrap_or(default.input_wait),
            parked_calls: size("PROXY_PARKED_CALLS", 1).unwrap_or(default.parked_calls),
            max_calls: size("PROXY_MAX_CALLS", 1).unwrap_or(default.max_calls),
            upstream_calls: size("PROXY_UPSTREAM_CALLS", 1).unwrap_or(default.upstream_calls),
            queued_calls: size("PROXY_QUEUED_CALLS", 1).unwrap_or(default.queued_calls),
            answer_memory: size("PROXY_ANSWER_MEMORY", 1).unwrap_or(default.answer_memory),
            log_rate: size("PROXY_LOG_RATE", 1).unwrap_or(default.log_rate),
            remember: remember.unwrap_or(default.remember),
        }
    }

    /// The `connect_timeout` alone. What is wrong with it, the whole configuration tells.
    #[must_use]
    pub fn connect_timeout(environment: &Environment) -> Duration {
        connect_timeout(environment, &mut Vec::new()).unwrap_or(DEFAULT_CONNECT_TIMEOUT)
    }
}

fn connect_timeout(environment: &Environment, problems: &mut Vec<Problem>) -> Option<Duration> {
    let name = "PROXY_CONNECT_TIMEOUT";
    variable(environment, name, value::duration, problems)
}
