//! The four pairings of client era and upstream era.

/// A client era and an upstream era. Legacy is any revision with a handshake; modern is 2026-07-28.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pairing {
    /// A legacy client and a legacy upstream.
    LegacyToLegacy,
    /// A legacy client and a modern upstream.
    LegacyToModern,
    /// A modern client and a legacy upstream.
    ModernToLegacy,
    /// A modern client and a modern upstream.
    ModernToModern,
}

impl Pairing {
    /// Whether the client is of the legacy era.
    pub(crate) fn legacy_client(self) -> bool {
        matches!(self, Self::LegacyToLegacy | Self::LegacyToModern)
    }

    /// Whether the upstream is of the legacy era.
    pub(crate) fn legacy_upstream(self) -> bool {
        matches!(self, Self::LegacyToLegacy | Self::ModernToLegacy)
    }
}
