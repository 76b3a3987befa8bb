//! Who makes a request: its era, the client's profile and the log level that it asks for.

use std::sync::Arc;

use super::client_profile::ClientProfile;
use super::log_level::LogLevel;
use super::revision::{Era, META_LOG_LEVEL};
use crate::wire::Message;
use crate::wire::splice::{decode, members};

/// Who makes a request, and in which era's words.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) era: Era,
    pub(crate) profile: Arc<ClientProfile>,
    /// From which level on it wants logs: what the session has set, or what the request names.
    pub(crate) log_level: Option<LogLevel>,
    /// What the request names as a level and is none.
    pub(crate) unknown_log_level: Option<String>,
}

/// The level that a modern request names for its logs.
///
/// # Errors
/// What it names instead of a level.
pub(crate) fn requested_log_level(request: &Message) -> Result<Option<LogLevel>, String> {
    let meta = request.param("_meta");
    let meta = meta.map(|meta| meta.value()).unwrap_or_default();
    // Of equal keys most parsers take the last.
    let Some(named) = members(meta)
        .filter(|member| member.key() == META_LOG_LEVEL)
        .last()
    else {
        return Ok(None);
    };
    let level = decode(named.value()).and_then(|name| LogLevel::parse(&name));
    let unknown = || String::from_utf8_lossy(named.value()).into_owned();
    level.map(Some).ok_or_else(unknown)
}
