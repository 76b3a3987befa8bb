//! JSON as serde_json parses it: the reference for our parser.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The decoded key and the raw value. A lone surrogate in the key is three bytes that are not
/// UTF-8.
pub(super) type Entry<'a> = (Vec<u8>, &'a [u8]);

/// Whether a text is JSON: one value, and white space around it.
pub(super) fn is_json(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text);
    text.is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// The members of an object in order; `None` if the text is no object.
pub(super) fn object(text: &[u8]) -> Option<Vec<Entry<'_>>> {
    if !is_json(text) || text.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let entries: Entries<'_> = serde_json::from_slice(text).expect("it is an object");
    Some(entries.0)
}

/// A JSON string, decoded, under the same rule as a key.
pub(super) fn string(text: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<Key>(text).expect("a string").0
}

struct Entries<'a>(Vec<Entry<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key, &'de RawValue>()? {
                    entries.push((key, value.get().as_bytes()));
                }
                Ok(Entries(entries))
            }
        }

        from.deserialize_map(All)
    }
}

struct Key(Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Key, E> {
                Ok(Key(bytes.to_vec()))
            }
        }

        from.deserialize_bytes(Bytes)
    }
}
