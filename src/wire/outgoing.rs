//! Outgoing messages: our own, and forwarded ones under another id.

use std::io::IoSlice;

use bytes::Bytes;
use memchr::memchr2;
use serde_json::json;

use super::{Message, Splice};

/// Error codes of JSON-RPC 2.0 § 5.1.
pub mod code {
    /// The text is not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// The JSON is not a valid request.
    pub const INVALID_REQUEST: i64 = -32600;
    /// The method does not exist.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The method exists, but its parameters are invalid.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The proxy itself failed.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// The headers do not match the body (MCP 2026-07-28 § Error Codes).
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The client lacks a required capability (MCP 2026-07-28 § Error Codes).
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// The request names an unsupported revision (MCP 2026-07-28 § Error Codes).
    pub const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32022;
}

/// One line for stdout. The message has up to three parts, so that a new id does not copy a large message.
#[derive(Debug, Clone)]
pub struct Line {
    parts: [Bytes; 3],
}

impl Line {
    /// A message in one part.
    #[must_use]
    pub fn whole(message: Bytes) -> Self {
        Self {
            parts: [message, Bytes::new(), Bytes::new()],
        }
    }

    /// A message whose `id` is replaced by these bytes, or added if missing.
    #[must_use]
    pub fn with_id(message: &Message, id: Bytes) -> Self {
        match message.id_span() {
            Some(span) => {
                let bytes = message.bytes();
                Self {
                    parts: [bytes.slice(..span.start), id, bytes.slice(span.end..)],
                }
            }
            None => {
                let mut splice = Splice::new(message.bytes());
                let id = [b"\"id\":", &id[..]].concat();
                splice.add_members(0..message.bytes().len(), id);
                Self::whole(splice.finish().into())
            }
        }
    }

    /// A response to `id` with this `result`, both JSON text. The result is not copied.
    #[must_use]
    pub fn result(id: &[u8], result: impl Into<Bytes>) -> Self {
        let head = [b"{\"jsonrpc\":\"2.0\",\"id\":", id, b",\"result\":"].concat();
        Self {
            parts: [head.into(), result.into(), Bytes::from_static(b"}")],
        }
    }

    /// A response to `id` with an error of the proxy itself. `data` is left out if it is `null`.
    #[must_use]
    pub fn error(id: &[u8], code: i64, message: &str, data: &serde_json::Value) -> Self {
        let mut error = json!({"code": code, "message": message});
        if !data.is_null() {
            error["data"] = data.clone();
        }
        let error = error.to_string();
        let parts: [&[u8]; 5] = [
            b"{\"jsonrpc\":\"2.0\",\"id\":",
            id,
            b",\"error\":",
            error.as_bytes(),
            b"}",
        ];
        Self::whole(parts.concat().into())
    }

    /// An error response to a message without a readable id. JSON-RPC 2.0 § 5 requires `null` there, but MCP
    /// allows a string, a number, or no `id` (MCP 2025-11-25 § Error Responses).
    #[must_use]
    pub fn error_without_id(code: i64, message: &str) -> Self {
        let error = json!({"code": code, "message": message});
        Self::whole(format!("{{\"jsonrpc\":\"2.0\",\"error\":{error}}}").into())
    }

    /// A notification without parameters.
    #[must_use]
    pub fn notification(method: &str) -> Self {
        let method = json!(method);
        Self::whole(format!("{{\"jsonrpc\":\"2.0\",\"method\":{method}}}").into())
    }

    /// Returns `true` if the message is in one part, as forwarded notifications are. Others often follow
    /// at once, so the writer waits briefly to write them together; after a response it does not.
    #[must_use]
    pub fn is_passthrough(&self) -> bool {
        self.parts[1..].iter().all(Bytes::is_empty)
    }

    /// The length in bytes, without the newline.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether the message has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes in one piece.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.is_passthrough() {
            let [whole, ..] = self.parts;
            return whole;
        }
        self.parts.concat().into()
    }

    /// Replaces every CR and LF by a space. In valid JSON they occur only between tokens
    /// (RFC 8259 § 7), so no value changes.
    #[must_use]
    pub fn strip_line_breaks(mut self) -> Self {
        for part in &mut self.parts {
            if memchr2(b'\n', b'\r', part).is_some() {
                let mut flat = Vec::from(std::mem::take(part));
                for byte in &mut flat {
                    if matches!(byte, b'\n' | b'\r') {
                        *byte = b' ';
                    }
                }
                *part = flat.into();
            }
        }
        self
    }

    /// Appends the message and a newline to `buffer`.
    pub fn append_to(&self, buffer: &mut Vec<u8>) {
        for part in &self.parts {
            buffer.extend_from_slice(part);
        }
        buffer.push(b'\n');
    }

    /// The message and a newline for a vectored write, without the first `written` bytes.
    #[must_use]
    pub fn slices(&self, mut written: usize) -> [IoSlice<'_>; 4] {
        let [a, b, c] = &self.parts;
        [&a[..], &b[..], &c[..], b"\n"].map(|part| {
            let skip = written.min(part.len());
            written -= skip;
            IoSlice::new(&part[skip..])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &Line) -> String {
        let mut buffer = Vec::new();
        line.append_to(&mut buffer);
        let sliced: Vec<u8> = line.slices(0).iter().flat_map(|s| s.to_vec()).collect();
        assert_eq!(sliced, buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn only_the_id_is_replaced() {
        let message = Message::parse("{\"result\":{\"id\":1},\"id\" : 1,\"x\":1E2}").unwrap();
        let line = Line::with_id(&message, Bytes::from_static(b"\"a\""));
        assert_eq!(
            written(&line),
            "{\"result\":{\"id\":1},\"id\" : \"a\",\"x\":1E2}\n"
        );
    }

    #[test]
    fn line_ends_between_tokens_become_spaces() {
        let line =
            Line::whole("{\r\n\"id\":1,\n\"result\":\"\u{2028}\"}".into()).strip_line_breaks();
        assert_eq!(written(&line), "{  \"id\":1, \"result\":\"\u{2028}\"}\n");
    }

    #[test]
    fn a_partly_written_line_continues_where_it_stopped() {
        let message = Message::parse("{\"id\":7,\"result\":1}").unwrap();
        let line = Line::with_id(&message, Bytes::from_static(b"12345"));
        let whole = written(&line).into_bytes();
        for done in 0..=whole.len() {
            let rest: Vec<u8> = line.slices(done).iter().flat_map(|s| s.to_vec()).collect();
            assert_eq!(rest, whole[done..]);
        }
        assert_eq!(whole.len(), line.len() + 1);
    }

    #[test]
    fn errors_carry_their_data() {
        let line = Line::error(
            b"\"x\"",
            code::INVALID_PARAMS,
            "no `name`",
            &json!({"upstream": "a"}),
        );
        insta::assert_snapshot!(written(&line), @r#"{"jsonrpc":"2.0","id":"x","error":{"code":-32602,"data":{"upstream":"a"},"message":"no `name`"}}"#);
    }
}
