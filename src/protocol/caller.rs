//! The caller of a request: its era, the client's profile and the requested log level.

use std::sync::Arc;

use super::client_profile::ClientProfile;
use super::log_level::LogLevel;
use super::revision::{Era, META_LOG_LEVEL};
use crate::wire::Message;
use crate::wire::splice::{decode, members};

/// The client that sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) era: Era,
    pub(crate) profile: Arc<ClientProfile>,
    /// The lowest log level to send: set for the session, or named by the request.
    pub(crate) log_level: Option<LogLevel>,
    /// The value that the request names as a log level, if it is not one.
    pub(crate) unknown_log_level: Option<String>,
}

/// Reads the log level that a modern request names in `_meta`.
///
/// # Errors
/// The value as written, if it is not a log level.
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
