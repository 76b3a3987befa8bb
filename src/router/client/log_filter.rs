//! The filter of logs by level (MCP 2025-11-25 and 2026-07-28 § Logging).

use crate::protocol::LogLevel;
use crate::wire::Message;
use crate::wire::splice::decode;

/// Returns `true` if a log has this level or a more severe one. A log without a known level passes.
pub(crate) fn reaches_level(log: &Message, level: LogLevel) -> bool {
    let member = log.param("level");
    let level_of_log = member.and_then(|member| LogLevel::parse(&decode(member.value())?));
    level_of_log.is_none_or(|level_of_log| level_of_log >= level)
}

/// Returns the error text for an unknown level.
pub(crate) fn unknown_level(named: &str) -> String {
    let names = LogLevel::names();
    format!("unknown log level `{named}`; use one of {names}")
}
