//! Parameters that the proxy reads itself.

use std::borrow::Cow;

use crate::wire::Member;
use crate::wire::splice::decode;

/// The one member called `key` of what stands in `place`, a string. Two are refused: we would check one, and the
/// upstream might use the other.
pub(crate) fn single_string<'a>(
    mut values: impl Iterator<Item = Member<'a>>,
    key: &str,
    place: &str,
) -> Result<String, String> {
    let (value, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(format!("`{key}` stands twice in {place}"));
    }
    let value = value.and_then(|value| decode(value.value()).map(Cow::into_owned));
    value.ok_or_else(|| format!("`{key}`, a string, is missing in {place}"))
}
