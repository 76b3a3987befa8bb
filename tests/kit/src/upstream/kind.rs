//! The kinds of scripted servers, and tests of each.

use std::fmt;

use super::Builder;

/// The transport and era of a scripted server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Streamable HTTP of 2025-03-26 to 2025-11-25, with sessions.
    Legacy,
    /// Streamable HTTP since 2026-07-28.
    Modern,
    /// HTTP+SSE, 2024-11-05.
    HttpSse,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Legacy, Self::Modern, Self::HttpSse];

    /// Returns a server of this kind.
    pub fn server(self) -> Builder {
        let versions: &[_] = match self {
            Self::Legacy => &["2025-11-25", "2025-06-18", "2025-03-26"],
            Self::Modern => &["2026-07-28"],
            Self::HttpSse => &["2024-11-05"],
        };
        Builder::new(self, versions)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::HttpSse => "http_sse",
        })
    }
}

/// Makes one test per kind of each function, which takes a [`Kind`]: for all kinds, or those in brackets.
#[macro_export]
macro_rules! per_kind {
    ($($claim:ident)*) => {
        $crate::per_kind! { [legacy modern http_sse] $($claim)* }
    };
    (@module $claim:ident [$($kind:ident)*]) => {
        mod $claim {
            $($crate::per_kind! { @test $claim $kind })*
        }
    };
    (@test $claim:ident $kind:ident) => {
        #[tokio::test]
        async fn $kind() {
            super::$claim($crate::per_kind!(@kind $kind)).await;
        }
    };
    (@kind legacy) => { $crate::upstream::Kind::Legacy };
    (@kind modern) => { $crate::upstream::Kind::Modern };
    (@kind http_sse) => { $crate::upstream::Kind::HttpSse };
    ($kinds:tt $($claim:ident)*) => {
        $($crate::per_kind! { @module $claim $kinds })*
    };
}
