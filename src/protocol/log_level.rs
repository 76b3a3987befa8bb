//! Log levels: the eight severities of RFC 5424 § 6.2.1, which every revision of MCP uses (MCP § Logging).

/// How severe a log message is, or from where on a client wants them. The most verbose is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogLevel {
    /// Detail for who looks for a fault.
    Debug,
    /// What goes on.
    Info,
    /// Normal, but significant.
    Notice,
    /// Something is not as it should be.
    Warning,
    /// An operation failed.
    Error,
    /// A component failed.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// The system cannot be used.
    Emergency,
}

impl LogLevel {
    /// All of them, the most verbose first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The level of this name; names are in lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// Their names in a row, for a person who has to choose.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_their_names_and_ordered_by_severity() {
        for (place, level) in LogLevel::ALL.into_iter().enumerate() {
            assert_eq!(LogLevel::parse(level.as_str()), Some(level));
            assert_eq!(level as usize, place);
        }
        assert!(LogLevel::ALL.is_sorted());
        for unknown in ["", "Debug", "INFO", "warn", "trace", " info"] {
            assert_eq!(LogLevel::parse(unknown), None, "{unknown}");
        }
    }
}
