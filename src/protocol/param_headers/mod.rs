//! Tool parameters that are also sent as HTTP headers
//! (MCP 2026-07-28, Streamable HTTP § Custom Headers from Tool Parameters).
//!
//! A tool's definition is parsed once, into [`ParamHeader`]s; a call's arguments are then only
//! scanned. Most tools have no such parameter and cost one substring search.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};

use crate::wire::splice::decode;

mod scan;
mod schema;

const ANNOTATION: &str = "x-mcp-header";
const BASE64_START: &str = "=?base64?";
const BASE64_END: &str = "?=";

/// The largest integer that JavaScript represents exactly, 2^53 − 1; the smallest is its negative.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A parameter of a tool and the header that repeats its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamHeader {
    header: HeaderName,
    path: Vec<String>,
}

impl ParamHeader {
    /// The header: `mcp-param-` and the name that the server chose.
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The names of the properties that lead to the value, from the arguments down.
    pub fn path(&self) -> &[String] {
        &self.path
    }
}

/// The reason why a tool's definition is invalid and the tool must not be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamHeaderError {
    /// The definition is not a JSON object.
    #[error("the tool's definition is not a JSON object")]
    Malformed,
    /// The schema is nested deeper than any realistic one.
    #[error("the schema has `{ANNOTATION}` and is nested more than {limit} levels deep")]
    TooDeep {
        /// The deepest supported nesting.
        limit: usize,
    },
    /// HTTP servers would reject that many headers.
    #[error("the schema has more than {limit} parameters with `{ANNOTATION}`")]
    TooMany {
        /// The most parameters that may be sent as headers.
        limit: usize,
    },
    /// An annotation is not on a property, or on one below keywords other than `properties`.
    #[error("`{ANNOTATION}` at `{at}` is not on a property reached through `properties` alone")]
    NotReachable {
        /// The keywords and names that lead to the annotation.
        at: String,
    },
    /// An annotation is empty, not a string or not a token (RFC 9110 § 5.6.2).
    #[error("`{ANNOTATION}` of `{param}` is not a header name; use letters, digits and `-`")]
    NotAName {
        /// The parameter's names, joined by dots.
        param: String,
    },
    /// An annotation is on a parameter that is not a string, integer or boolean.
    #[error("`{ANNOTATION}` is on `{param}`, whose type is not string, integer or boolean")]
    NotPrimitive {
        /// The parameter's names, joined by dots.
        param: String,
    },
    /// Two annotations name one header, ignoring case.
    #[error("`{param}` and another parameter have the same `{ANNOTATION}`")]
    Duplicate {
        /// The later parameter's names, joined by dots.
        param: String,
    },
}

/// Finds the parameters of a tool that are sent as headers.
///
/// `tool_definition` is the raw JSON of one entry of `tools/list`; only its `inputSchema` counts. A
/// type list such as `["string","null"]` is valid if it names only valid types and null. The
/// specification defines the header for a null value. Instance data (`default`, `const`, `enum`,
/// `examples`) and properties named `x-mcp-header` are not annotations. Of equal keys the last one
/// counts.
///
/// # Errors
/// [`ParamHeaderError`] if an annotation violates the specification: the tool must be hidden.
pub fn parse_param_headers(tool_definition: &str) -> Result<Vec<ParamHeader>, ParamHeaderError> {
    let bytes = tool_definition.as_bytes();
    if memchr::memmem::find(bytes, ANNOTATION.as_bytes()).is_none() {
        return Ok(Vec::new());
    }
    schema::read(tool_definition)
}

/// The headers for `params`, with their values from `arguments`, the raw JSON of a call's arguments.
///
/// Some values get no header, because of the specification or because no header can hold them:
///
/// - missing or null values,
/// - objects and arrays,
/// - numbers that are not integers between ±(2^53 − 1),
/// - text with a lone surrogate.
pub fn header_values(params: &[ParamHeader], arguments: &str) -> Vec<(HeaderName, HeaderValue)> {
    if params.is_empty() {
        return Vec::new();
    }
    let paths: Vec<&[String]> = params.iter().map(ParamHeader::path).collect();
    let values = scan::pick(arguments.as_bytes(), &paths);
    let headers = params.iter().zip(values).filter_map(|(param, value)| {
        let value = header_value(value?)?;
        Some((param.header.clone(), value))
    });
    headers.collect()
}

/// Encodes `text` as a header value, in Base64 if a header cannot carry it as it is (§ Value Encoding).
pub fn encode_value(text: &str) -> HeaderValue {
    // A tab inside is allowed, but intermediaries may replace it by a space.
    let is_visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_trimmed = !text.starts_with(' ') && !text.ends_with(' ');
    let looks_encoded = text.starts_with(BASE64_START) && text.ends_with(BASE64_END);
    let value = if is_visible && is_trimmed && !looks_encoded {
        HeaderValue::from_str(text)
    } else {
        let encoded = STANDARD.encode(text);
        HeaderValue::try_from(format!("{BASE64_START}{encoded}{BASE64_END}"))
    };
    // Both are visible ASCII and spaces, which every header value may hold.
    value.unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The header value for a raw JSON value; `None` if it gets no header.
fn header_value(raw: &[u8]) -> Option<HeaderValue> {
    match raw.first()? {
        b'"' => decode(raw).map(|text| encode_value(&text)),
        b't' => Some(HeaderValue::from_static("true")),
        b'f' => Some(HeaderValue::from_static("false")),
        b'-' | b'0'..=b'9' => integer(std::str::from_utf8(raw).ok()?).map(HeaderValue::from),
        _ => None,
    }
}

/// The value of a JSON number that is a safe integer in any notation: `4.2e1` is 42.
fn integer(literal: &str) -> Option<i64> {
    let (sign, unsigned) = match literal.strip_prefix('-') {
        Some(unsigned) => (-1, unsigned),
        None => (1, literal),
    };
    let (number, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // An exponent past i64 is too large or too small for an integer in any case.
    let exponent: i64 = exponent.parse().ok()?;
    let scale = i64::try_from(dropped).ok()? - i64::try_from(fraction.len()).ok()?;
    let power = u32::try_from(exponent.checked_add(scale)?).ok()?;
    let value = significant
        .parse::<u64>()
        .ok()?
        .checked_mul(10_u64.checked_pow(power)?)?;
    let value = (value <= MAX_SAFE_INTEGER).then_some(value)?;
    Some(sign * i64::try_from(value).ok()?)
}

#[cfg(test)]
mod tests;
