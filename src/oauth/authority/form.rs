//! The form that a request sends.

use std::borrow::Cow;

/// The parameters of a request.
pub(super) type Form<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The parameters that every request for a token may have.
pub(super) fn asked<'a>(scope: Option<&'a str>, resource: Option<&'a str>) -> Form<'a> {
    let scope = scope.filter(|scope| !scope.is_empty());
    let parts = [("scope", scope), ("resource", resource)];
    let given = parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    given
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}
