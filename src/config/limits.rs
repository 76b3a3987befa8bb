//! The limits of the whole program, with defaults that suit the common clients.

use std::time::Duration;

use super::problem::Problem;
use super::read_variable::variable;
use super::{Environment, value};

/// The limits on sizes, counts and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest message that is forwarded, in bytes (`PROXY_MAX_MESSAGE_BYTES`).
    ///
    /// Far above what any client accepts, so that it stops only endless messages.
    pub message_bytes: usize,
    /// How long the initial listing waits for upstreams that respond (`PROXY_STARTUP_WAIT`).
    ///
    /// Clients wait 30 s for a server's tools.
    pub startup_wait: Duration,
    /// The timeout for establishing a connection, including TLS (`PROXY_CONNECT_TIMEOUT`).
    pub connect_timeout: Duration,
    /// How long a call waits for a disconnected upstream (`PROXY_CONNECT_WAIT`), but at most as long as
    /// for its response.
    ///
    /// Long enough for a restart, and below 30 s, the shortest timeout of a call in common clients.
    pub connect_wait: Duration,
    /// The longest public tool name, in characters (`PROXY_TOOL_NAME_LENGTH`).
    ///
    /// Model APIs accept 64; longer names are shortened and mapped back.
    pub tool_name_length: usize,
    /// How long a call waits for its client to respond to a server request (`PROXY_INPUT_WAIT`).
    ///
    /// The user may be away.
    pub input_wait: Duration,
    /// The number of suspended calls, which wait for a client's input (`PROXY_PARKED_CALLS`).
    pub parked_calls: usize,
    /// The number of in-flight requests of the client (`PROXY_MAX_CALLS`).
    ///
    /// Each uses about 10 KiB in addition to its message.
    pub max_calls: usize,
    /// The number of concurrent calls at one upstream (`PROXY_UPSTREAM_CALLS`).
    ///
    /// With HTTP/1.1, each call uses a connection of its own.
    pub upstream_calls: usize,
    /// The number of further calls that are queued for an upstream (`PROXY_QUEUED_CALLS`).
    pub queued_calls: usize,
    /// The buffer for responses that the client has not read, in bytes (`PROXY_ANSWER_MEMORY`). When it is
    /// full, upstreams are not read further.
    ///
    /// Several times what a pipe and a model accept at once.
    pub answer_memory: usize,
    /// The sustained rate of log lines per second (`PROXY_LOG_RATE`), with a burst of a hundred times as many.
    ///
    /// A log without rotation grows by at most a gigabyte a day.
    pub log_rate: usize,
    /// Whether listings are cached on disk for the next start (`PROXY_REMEMBER`).
    pub remember: bool,
}

/// The default connect timeout: some round trips, and the three TCP retransmissions within 7 s.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The smallest limit of a name's length at which shortened names stay distinct.
const MIN_NAME_LENGTH: usize = 16;

/// The smallest message limit that a handshake fits in.
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

    /// Reads `connect_timeout` alone, and ignores problems, which [`Config`](super::Config) reports.
    #[must_use]
    pub fn connect_timeout(environment: &Environment) -> Duration {
        connect_timeout(environment, &mut Vec::new()).unwrap_or(DEFAULT_CONNECT_TIMEOUT)
    }
}

fn connect_timeout(environment: &Environment, problems: &mut Vec<Problem>) -> Option<Duration> {
    let name = "PROXY_CONNECT_TIMEOUT";
    variable(environment, name, value::duration, problems)
}
