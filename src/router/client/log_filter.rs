//! Which logs a client receives (MCP 2025-11-25 and 2026-07-28 § Logging).

use crate::protocol::LogLevel;
use crate::wire::Message;
use crate::wire::splice::decode;

/// Whether a log is for those that want logs from `level` on. A log without a known level is for all.
pub(crate) fn reaches(log: &Message, level: LogLevel) -> bool {
    let member = log.param("level");
    let named = member.and_then(|member| LogLevel::parse(&decode(member.value())?));
    named.is_none_or(|named| named >= level)
}

/// The text of a refusal of an unknown level.
pub(crate) fn unknown_level(named: &str) -> String {
    let names = LogLevel::names();
    format!("unknown log level `{named}`; use one of {names}")
}
