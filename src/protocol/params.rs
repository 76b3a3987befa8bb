//! Request parameters that the proxy itself reads.

use std::borrow::Cow;

use crate::wire::Member;
use crate::wire::splice::decode;

/// Returns the string value of the only member `key` in `place`. Rejects two members: the proxy would
/// check one and the upstream might use the other.
///
/// # Errors
/// The text for the error response.
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
