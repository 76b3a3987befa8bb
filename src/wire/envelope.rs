//! The members that define a JSON-RPC message, read in one pass over its text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::splice::decode;

/// The known members, as written. The keys of others are not decoded by serde, which rejects a
/// lone surrogate although it is valid JSON (RFC 8259 § 8.2).
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) id: Option<&'a RawValue>,
    pub(super) method: Option<&'a RawValue>,
    pub(super) params: Option<&'a RawValue>,
    pub(super) result: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key::<&RawValue>()? {
            let (name, member) = match decode(key.get().as_bytes()).as_deref() {
                Some("id") => ("id", &mut envelope.id),
                Some("method") => ("method", &mut envelope.method),
                Some("params") => ("params", &mut envelope.params),
                Some("result") => ("result", &mut envelope.result),
                Some("error") => ("error", &mut envelope.error),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if member.replace(map.next_value()?).is_some() {
                return Err(serde::de::Error::duplicate_field(name));
            }
        }
        Ok(envelope)
    }
}
