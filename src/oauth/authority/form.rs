//! The form of a request.

use std::borrow::Cow;

/// The parameters of a request.
pub(super) type Form<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Returns the parameters `scope` and `resource`, as far as present.
pub(super) fn scope_and_resource<'a>(
    scope: Option<&'a str>,
    resource: Option<&'a str>,
) -> Form<'a> {
    let scope = scope.filter(|scope| !scope.is_empty());
    let parts = [("scope", scope), ("resource", resource)];
    let given = parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    given
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}
