//! Parsers of values: durations, sizes, lists, and text with variables.

use std::time::Duration;

use jsonc_parser::ast::Value;

use super::Environment;

/// The longest duration that can be configured.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The JSON type of a value, with its article.
pub(super) fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a boolean",
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::NullKeyword(_) => "null",
    }
}

/// Parses `on` or `off`, or a synonym.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "1" | "yes" => Ok(true),
        "off" | "false" | "0" | "no" => Ok(false),
        _ => Err(format!("`{text}` is neither `on` nor `off`")),
    }
}

/// Parses a duration: a number of seconds, or a number with `ms`, `s`, `m` or `h`.
///
/// # Errors
/// The fault and its remedy.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(not_a_time(text)),
    };
    let number: f64 = number.parse().map_err(|_| not_a_time(text))?;
    let duration = Duration::try_from_secs_f64(number * factor).map_err(|_| not_a_time(text))?;
    if duration.is_zero() {
        return Err("is zero; give it some time, as in `30s`".to_owned());
    }
    if duration > MAX_DURATION {
        return Err("is longer than a day; shorten it, as in `1h`".to_owned());
    }
    Ok(duration)
}

fn not_a_time(text: &str) -> String {
    format!("`{text}` is not a time; write seconds as in `30`, or `500ms`, `30s`, `5m`")
}

/// Parses a size in bytes: an integer, with `K`, `M` or `G` (or `KiB`, …) for powers of 1024.
///
/// # Errors
/// The fault and its remedy.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let not_a_size = || format!("`{text}` is not a size; write bytes, or as in `64M`");
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err(not_a_size()),
    };
    let number: usize = number.parse().map_err(|_| not_a_size())?;
    number.checked_mul(factor).ok_or_else(not_a_size)
}

/// Splits a list at its commas, except those inside `{a,b}`.
pub(super) fn comma_list(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let parts = text.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// Trims a text that must be one line; `None` if it is empty.
///
/// # Errors
/// If the text holds a control character. The error does not quote it, since it may be a secret.
pub(super) fn line(text: &str) -> Result<Option<&str>, String> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err("holds a control character; leave it out".to_owned());
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Expands variables in a text: `${NAME}` and `${NAME:-default}`, also as `${env:NAME}`.
///
/// # Errors
/// The variable that is not set, or the fault of the syntax.
pub(super) fn expand(text: &str, environment: &Environment) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        expanded.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        let end = inside
            .find('}')
            .ok_or("has a `${` without `}`; close it, as in `${NAME}`")?;
        expanded.push_str(variable(&inside[..end], environment)?);
        rest = &inside[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn variable<'a>(inside: &'a str, environment: &'a Environment) -> Result<&'a str, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let name = name.strip_prefix("env:").unwrap_or(name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        // The default is not quoted, since it may be a secret.
        return Err(format!(
            "`${{{name}}}` names no environment variable; write `${{NAME}}`"
        ));
    }
    environment.get(name).or(default).ok_or_else(|| {
        format!("environment variable `{name}` is not set; set it, or write `${{{name}:-default}}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_or_has_a_unit() {
        let cases = [
            ("30", 30_000),
            ("0.5", 500),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            (" 1 h ", 3_600_000),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "five",
            "5 days",
            "-1",
            "1e3",
            "1.2.3",
            "0",
            "0ms",
            "25h",
            "9999999999999999999999",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        assert_eq!(size("268435456"), Ok(256 << 20));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("1 KiB"), Ok(1024));
        for text in ["", "M", "1.5M", "-1", "12 parsecs", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn commas_inside_braces_do_not_split() {
        assert_eq!(
            comma_list("get_*, {list,find}_*,,x "),
            ["get_*", "{list,find}_*", "x"]
        );
        assert_eq!(comma_list("}a,b"), ["}a", "b"]);
        assert!(comma_list(" , ").is_empty());
    }

    #[test]
    fn variables_are_expanded() {
        let environment = [("TOKEN", "abc"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        let cases = [
            ("plain", Ok("plain")),
            ("Bearer ${TOKEN}", Ok("Bearer abc")),
            ("${env:TOKEN}${TOKEN}!", Ok("abcabc!")),
            ("${MISSING:-none}", Ok("none")),
            ("${EMPTY:-}", Ok("")),
            ("$TOKEN {TOKEN}", Ok("$TOKEN {TOKEN}")),
            (
                "${MISSING}",
                Err(
                    "environment variable `MISSING` is not set; set it, or write `${MISSING:-default}`",
                ),
            ),
            (
                "${EMPTY}",
                Err(
                    "environment variable `EMPTY` is not set; set it, or write `${EMPTY:-default}`",
                ),
            ),
            (
                "${input:key}",
                Err("`${input:key}` names no environment variable; write `${NAME}`"),
            ),
            (
                "${}",
                Err("`${}` names no environment variable; write `${NAME}`"),
            ),
            (
                "x${TOKEN",
                Err("has a `${` without `}`; close it, as in `${NAME}`"),
            ),
        ];
        for (text, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(expand(text, &environment), expected, "{text}");
        }
    }
}
