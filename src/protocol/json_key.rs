//! Ids and progress tokens as map keys.

use std::borrow::Cow;

use bytes::Bytes;

use crate::wire::splice::{decode, last_member};

/// An id or token as a map key. Strings are decoded, so that `"a"` and `"\u0061"` are equal; other
/// values are compared as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct JsonKey(Bytes);

impl JsonKey {
    pub(crate) fn new(json: &Bytes) -> Self {
        match decode(json) {
            Some(Cow::Owned(text)) => Self(format!("\"{text}\"").into()),
            Some(Cow::Borrowed(_)) | None => Self(json.clone()),
        }
    }
}

/// Whether two ids or tokens are equal as [`JsonKey`]s.
pub(crate) fn is_same_key(a: &[u8], b: &[u8]) -> bool {
    a == b || decode(a).is_some_and(|text| Some(text) == decode(b))
}

/// The progress token of a request, as written.
pub(crate) fn progress_token(message: &crate::wire::Message) -> Option<Bytes> {
    let meta = message.param("_meta")?;
    let token = last_member(meta.value(), "progressToken")?;
    Some(message.bytes().slice_ref(token.value()))
}
