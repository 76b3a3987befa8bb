//! Headers that the configuration adds to every request to an upstream.

use http::{HeaderName, HeaderValue};

use super::{Environment, value};

/// Headers that the transport and the protocol set (MCP § Transports, RFC 9110 § 7.6.1).
const RESERVED: [&str; 13] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reads a header and expands the variables in its value. The value is marked sensitive, so that
/// it does not print.
///
/// # Errors
/// The fault and its remedy, without the value, which may be a secret.
pub(super) fn header(
    name: &str,
    value: &str,
    environment: &Environment,
) -> Result<(HeaderName, HeaderValue), String> {
    let parsed: HeaderName = name.parse().map_err(|_| {
        format!("`{name}` is not the name of a header; use letters, digits and `-`")
    })?;
    if RESERVED.contains(&parsed.as_str()) || parsed.as_str().starts_with("mcp-") {
        return Err(format!(
            "`{name}` is set by mcp-manifold itself; leave it out"
        ));
    }
    let expanded = value::expand(value, environment).map_err(|e| format!("`{name}`: {e}"))?;
    // Surrounding space has no meaning (RFC 9110 § 5.5), and token files end with a newline.
    let mut value = HeaderValue::from_str(expanded.trim()).map_err(|_| {
        format!("the value of `{name}` holds a character that no header can carry; leave it out")
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_added_unless_it_is_reserved() {
        let environment = [("TOKEN".to_owned(), "hunter2\n".to_owned())]
            .into_iter()
            .collect();
        let (name, value) = header("Authorization", "Bearer ${TOKEN}", &environment).unwrap();
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("authorization", &b"Bearer hunter2"[..])
        );
        assert_eq!(format!("{value:?}"), "Sensitive");

        let cases = [
            (
                "Content-Type",
                "x",
                "`Content-Type` is set by mcp-manifold itself; leave it out",
            ),
            (
                "MCP-Session-Id",
                "x",
                "`MCP-Session-Id` is set by mcp-manifold itself; leave it out",
            ),
            (
                "X Y",
                "x",
                "`X Y` is not the name of a header; use letters, digits and `-`",
            ),
            (
                "X-Key",
                "${NO}",
                "`X-Key`: environment variable `NO` is not set; set it, or write `${NO:-default}`",
            ),
            (
                "X-Key",
                "a\nb",
                "the value of `X-Key` holds a character that no header can carry; leave it out",
            ),
        ];
        for (name, value, message) in cases {
            assert_eq!(header(name, value, &environment).unwrap_err(), message);
        }
    }
}
