//! Protocol revisions and their two eras (MCP 2026-07-28 § Versioning, Terminology).

/// The supported modern revision.
pub const MODERN: &str = "2026-07-28";

/// The supported legacy revisions, newest first.
pub const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// All supported revisions, newest first.
#[must_use]
pub fn supported() -> Vec<&'static str> {
    [MODERN].into_iter().chain(LEGACY).collect()
}

/// The `_meta` key of a modern request that names its revision.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The `_meta` key of a modern request that names the client.
pub const META_CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// The `_meta` key of a modern request that declares the client's capabilities.
pub const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The `_meta` key of a modern request that names the log level.
pub const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// The `_meta` key of a modern result that names the server.
pub const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// How a peer states its revision: with every request, or once in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2025-11-25 and before: an `initialize` handshake opens a session.
    Legacy,
    /// 2026-07-28 and after: every request carries its revision in `_meta`.
    Modern,
}

impl Era {
    /// The era's name in logs: `legacy` or `modern`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        }
    }
}

/// The revision for the result of `initialize`: the requested one if supported, else the newest
/// legacy one (MCP 2025-11-25 § Lifecycle, Version Negotiation).
#[must_use]
pub fn negotiate(requested: &str) -> &'static str {
    LEGACY
        .into_iter()
        .find(|version| *version == requested)
        .unwrap_or(LEGACY[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initialize_gets_the_requested_or_the_newest_legacy_version() {
        assert_eq!(negotiate("2025-03-26"), "2025-03-26");
        assert_eq!(negotiate("2026-07-28"), "2025-11-25");
        assert_eq!(negotiate(""), "2025-11-25");
    }
}
