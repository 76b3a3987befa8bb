//! The number of a client's session, and the ids and tokens that contain it.
//!
//! Each client has its own tables. A response is looked up in the table of the client that sent it. The number
//! also keeps apart the progress tokens of different clients at an upstream that they share.

use std::borrow::Cow;

use crate::wire::splice::decode;

/// The prefix of the ids and tokens of the proxy.
const PREFIX: &str = "mcp-manifold-";

/// The number of a client's session at its router. The first client has number 0, which its ids and tokens do
/// not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionNumber(pub(crate) u64);

impl SessionNumber {
    /// Whether this is the first client of its router.
    pub(crate) fn is_first(self) -> bool {
        self.0 == 0
    }

    /// Returns a new id or token, as written in JSON.
    pub(crate) fn wire_id(self, serial: u64) -> String {
        match self {
            Self(0) => format!("\"{PREFIX}{serial}\""),
            Self(number) => format!("\"{PREFIX}{number}-{serial}\""),
        }
    }

    /// Returns the serial number in an id of this client. The id is JSON.
    pub(crate) fn parse_serial(self, written: &[u8]) -> Option<u64> {
        let id = decode(written)?;
        let rest = id.strip_prefix(PREFIX)?;
        match self {
            Self(0) => rest.parse().ok(),
            Self(number) => {
                let (written, serial) = rest.split_once('-')?;
                (written.parse() == Ok(number)).then(|| serial.parse().ok())?
            }
        }
    }

    /// Returns the number of the client that a token belongs to. The token is JSON. Tokens without a number
    /// belong to the first client.
    pub(crate) fn from_token(written: &[u8]) -> Self {
        let token = decode(written).unwrap_or(Cow::Borrowed(""));
        let numbers = token
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'));
        Self(numbers.map_or(0, |(number, _)| number.parse().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_client_has_no_number_in_its_ids() {
        let first = SessionNumber(0);
        assert_eq!(first.wire_id(7), r#""mcp-manifold-7""#);
        assert_eq!(first.parse_serial(br#""mcp-manifold-7""#), Some(7));
        assert_eq!(SessionNumber::from_token(br#""mcp-manifold-7""#), first);
        for other in [&b"7"[..], br#""7""#, br#""mcp-manifold-1-7""#, b"\"x", b""] {
            assert_eq!(first.parse_serial(other), None);
        }
    }

    #[test]
    fn ids_and_tokens_name_their_client() {
        let third = SessionNumber(2);
        let written = third.wire_id(7);
        assert_eq!(written, r#""mcp-manifold-2-7""#);
        assert_eq!(third.parse_serial(written.as_bytes()), Some(7));
        assert_eq!(SessionNumber::from_token(written.as_bytes()), third);
        assert_eq!(SessionNumber(1).parse_serial(written.as_bytes()), None);
        assert_eq!(third.parse_serial(br#""mcp-manifold-7""#), None);
        for other in [&b"1"[..], br#""a""#, br#""mcp-manifold-x-1""#, b""] {
            assert_eq!(SessionNumber::from_token(other), SessionNumber(0));
        }
    }
}
