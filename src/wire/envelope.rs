//! The members that make a JSON-RPC message what it is, read in one pass over its text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members that we know, as written. Of the others only the value is read.
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
        from.deserialize_map(ByKeys)
    }
}

struct ByKeys;

impl<'de> Visitor<'de> for ByKeys {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(Key(key)) = map.next_key()? {
            let (name, member) = match key {
                Some(Known::Id) => ("id", &mut envelope.id),
                Some(Known::Method) => ("method", &mut envelope.method),
                Some(Known::Params) => ("params", &mut envelope.params),
                Some(Known::Result) => ("result", &mut envelope.result),
                Some(Known::Error) => ("error", &mut envelope.error),
                None => {
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

enum Known {
    Id,
    Method,
    Params,
    Result,
    Error,
}

/// Which member a key names. Read as bytes: a key may be a lone surrogate, which is JSON
/// (RFC 8259 § 8.2), and no text.
struct Key(Option<Known>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_bytes(ByName)
    }
}

struct ByName;

impl Visitor<'_> for ByName {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Key, E> {
        Ok(Key(match name {
            b"id" => Some(Known::Id),
            b"method" => Some(Known::Method),
            b"params" => Some(Known::Params),
            b"result" => Some(Known::Result),
            b"error" => Some(Known::Error),
            _ => None,
        }))
    }
}
