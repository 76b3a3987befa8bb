//! One JSON-RPC message: its bytes as received, and the positions of its members.
//!
//! [`Message::parse`] reads the envelope once, which also validates the whole text as JSON.
//! Values are not decoded before they are needed, so numbers, escapes and unknown members stay as sent.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::envelope::Envelope;
use super::splice::{Member, MemberSpans, decode, members};

/// The kind of a message, derived from its members (JSON-RPC 2.0 § 4 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// `method` and `id`: requires a response.
    Request,
    /// `method` alone.
    Notification,
    /// `result` or `error`.
    Response,
}

/// The reason why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum MalformedMessage {
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The text is not JSON, or is truncated.
    #[error("not JSON: {0}")]
    NotJson(serde_json::Error),
    /// The text is JSON, but not a JSON-RPC message.
    #[error("not a JSON-RPC message: {reason}")]
    NotAMessage {
        /// The fault.
        reason: String,
        /// The `id` member as written, if present.
        id: Option<Bytes>,
    },
}

/// A JSON-RPC message with the positions of its members.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
    kind: MessageKind,
    id: Option<Range<usize>>,
    method: Option<Range<usize>>,
    params: Option<Range<usize>>,
    result: Option<Range<usize>>,
    error: Option<Range<usize>>,
    /// An index of the members of a request's `params`, which may be large and are looked up several times.
    index: Option<Arc<[MemberSpans]>>,
}

impl Message {
    /// Parses one message. Drops surrounding white space and a leading byte-order mark.
    ///
    /// # Errors
    /// [`MalformedMessage`] if the bytes are not UTF-8, not JSON, or not a JSON-RPC message.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, MalformedMessage> {
        let bytes = trim(&bytes.into());
        let text = simdutf8::basic::from_utf8(&bytes).map_err(|_| MalformedMessage::NotUtf8)?;
        if text.starts_with('[') {
            return Err(not_a_message(&bytes, text, "the text is an array"));
        }
        let envelope: Envelope =
            serde_json::from_str(text).map_err(|e| not_a_message(&bytes, text, &e.to_string()))?;
        let span = |raw: Option<&RawValue>| {
            raw.map(|raw| {
                let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
                start..start + raw.get().len()
            })
        };
        let kind = match (&envelope.method, &envelope.id) {
            (Some(_), Some(_)) => MessageKind::Request,
            (Some(_), None) => MessageKind::Notification,
            _ if envelope.result.is_some() || envelope.error.is_some() => MessageKind::Response,
            _ => {
                return Err(not_a_message(
                    &bytes,
                    text,
                    "`method`, `result` and `error` are missing",
                ));
            }
        };
        if envelope.method.is_some_and(|m| !m.get().starts_with('"')) {
            return Err(not_a_message(&bytes, text, "`method` is not a string"));
        }
        let index = match (kind, envelope.params) {
            (MessageKind::Request, Some(params)) => {
                let params = members(params.get().as_bytes());
                Some(params.map(Member::into_spans).collect())
            }
            _ => None,
        };
        Ok(Self {
            kind,
            index,
            id: span(envelope.id),
            method: span(envelope.method),
            params: span(envelope.params),
            result: span(envelope.result),
            error: span(envelope.error),
            bytes,
        })
    }

    /// Returns `true` if the text begins a batch, an array of messages (JSON-RPC 2.0 § 6, MCP 2025-03-26 only).
    #[must_use]
    pub fn is_batch(bytes: &[u8]) -> bool {
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        bytes.trim_ascii_start().first() == Some(&b'[')
    }

    /// Splits a batch into its messages, without parsing them.
    ///
    /// # Errors
    /// [`MalformedMessage`] if the text is not a JSON array.
    pub fn split_batch(bytes: &Bytes) -> Result<Vec<Bytes>, MalformedMessage> {
        let bytes = trim(bytes);
        let text = simdutf8::basic::from_utf8(&bytes).map_err(|_| MalformedMessage::NotUtf8)?;
        let parts: Vec<&RawValue> =
            serde_json::from_str(text).map_err(MalformedMessage::NotJson)?;
        Ok(parts
            .iter()
            .map(|part| bytes.slice_ref(part.get().as_bytes()))
            .collect())
    }

    /// The kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The whole message as received.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The `id` member as written.
    #[must_use]
    pub fn id(&self) -> Option<Bytes> {
        self.id.clone().map(|span| self.bytes.slice(span))
    }

    /// The position of `id` in [`Self::bytes`].
    #[must_use]
    pub fn id_span(&self) -> Option<Range<usize>> {
        self.id.clone()
    }

    /// The decoded method; empty for a response.
    #[must_use]
    pub fn method(&self) -> Cow<'_, str> {
        let quoted = self.text(self.method.as_ref());
        quoted.and_then(decode).unwrap_or_default()
    }

    /// The `params` member as written.
    #[must_use]
    pub fn params(&self) -> Option<&[u8]> {
        self.text(self.params.as_ref())
    }

    /// The position of `params` in [`Self::bytes`].
    #[must_use]
    pub fn params_span(&self) -> Option<Range<usize>> {
        self.params.clone()
    }

    /// The `result` member as written.
    #[must_use]
    pub fn result(&self) -> Option<&[u8]> {
        self.text(self.result.as_ref())
    }

    /// The position of `result` in [`Self::bytes`].
    #[must_use]
    pub fn result_span(&self) -> Option<Range<usize>> {
        self.result.clone()
    }

    /// The position of `error` in [`Self::bytes`].
    #[must_use]
    pub fn error_span(&self) -> Option<Range<usize>> {
        self.error.clone()
    }

    /// The `error` member as written.
    #[must_use]
    pub fn error(&self) -> Option<&[u8]> {
        self.text(self.error.as_ref())
    }

    /// The `code` of the error, if it is an integer.
    #[must_use]
    pub fn error_code(&self) -> Option<i64> {
        let code = members(self.error()?).find(|member| member.key() == "code")?;
        serde_json::from_slice(code.value()).ok()
    }

    /// Returns the members of `params` with this key, in order.
    pub fn params_named<'a>(&'a self, key: &'a str) -> impl Iterator<Item = Member<'a>> {
        let params = self.params().unwrap_or_default();
        let index = self.index.as_deref();
        let indexed = index
            .into_iter()
            .flatten()
            .map(|spans| spans.member_in(params));
        let scanned = members(if index.is_some() { &[] } else { params });
        indexed
            .chain(scanned)
            .filter(move |member| member.key() == key)
    }

    /// Returns the last member of `params` with this key.
    #[must_use]
    pub fn param<'a>(&'a self, key: &'a str) -> Option<Member<'a>> {
        self.params_named(key).last()
    }

    fn text(&self, span: Option<&Range<usize>>) -> Option<&[u8]> {
        self.bytes.get(span?.clone())
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

fn trim(bytes: &Bytes) -> Bytes {
    let text: &[u8] = bytes.strip_prefix(BOM).unwrap_or(bytes);
    bytes.slice_ref(text.trim_ascii())
}

fn not_a_message(bytes: &Bytes, text: &str, reason: &str) -> MalformedMessage {
    // The envelope's parser stops at the first fault and rejects numbers out of range. So it cannot
    // decide whether the whole text is JSON.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return MalformedMessage::NotJson(error);
    }
    let id = members(bytes).find(|member| member.key() == "id");
    MalformedMessage::NotAMessage {
        reason: reason.to_owned(),
        id: id.map(|member| bytes.slice_ref(member.value())),
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
