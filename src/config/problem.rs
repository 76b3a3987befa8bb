//! Problems of a configuration: the fault, its place and its remedy.

use std::fmt::{self, Write as _};
use std::io;

use super::UpstreamName;

/// Whether a problem disables the upstream or setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The upstream is left out, or the variable is not used.
    Error,
    /// The upstream or setting is used.
    Warning,
}

/// A position in the text of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The variable, or the file that it names.
    pub source: String,
    /// The line and the column in characters, both from 1. `None` for the whole source.
    pub position: Option<(usize, usize)>,
}

impl Place {
    /// The place of a whole variable.
    pub(super) fn variable(name: &str) -> Self {
        Self {
            source: name.to_owned(),
            position: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        match self.position {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// A fault in a part of the configuration. Other parts are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The consequence.
    pub severity: Severity,
    /// The place of the fault.
    pub place: Place,
    /// The affected upstream, if known.
    pub upstream: Option<UpstreamName>,
    /// The affected key, or part of a variable.
    pub key: Option<String>,
    /// The fault, and after a semicolon the remedy.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(upstream) = &self.upstream {
            write!(f, "upstream `{upstream}`: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        one_line(f, &self.message)
    }
}

/// Writes a message on one line. Control characters are escaped: it may quote the configuration and is
/// printed to a terminal.
fn one_line(f: &mut fmt::Formatter<'_>, message: &str) -> fmt::Result {
    message.chars().try_for_each(|c| match c.is_control() {
        true => write!(f, "{}", c.escape_default()),
        false => f.write_char(c),
    })
}

/// The reason why there is no configuration to use. The program exits with status 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No variable names an upstream.
    #[error(
        "no upstream is configured; set PROXY_UPSTREAMS, for example to \
         `[{{\"name\": \"docs\", \"url\": \"https://mcp.example.com/mcp\"}}]`{}",
        suggestion(.similar.as_deref())
    )]
    Missing {
        /// A set variable with a similar name.
        similar: Option<String>,
    },
    /// `PROXY_UPSTREAMS` names a file that cannot be read.
    #[error("PROXY_UPSTREAMS: cannot read `{path}`: {source}; check the path after the `@`")]
    Unreadable {
        /// The path as written.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The text is not JSON, even with comments and trailing commas.
    #[error("{place}: {message}")]
    Syntax {
        /// The place where parsing stopped.
        place: Place,
        /// The fault and its remedy.
        message: String,
    },
    /// The JSON is not a list of upstreams.
    #[error(
        "{place}: {found} where upstreams were expected; write an array of upstreams, \
         or an object of them keyed by name"
    )]
    Shape {
        /// The place of the value.
        place: Place,
        /// The type found, such as "a string".
        found: &'static str,
    },
    /// Every upstream has an error.
    #[error("no upstream can be used\n{}", lines(.0))]
    NoUsableUpstream(Vec<Problem>),
}

fn suggestion(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |similar| {
        format!(" (`{similar}` is set, which is not a variable of this program)")
    })
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_printed_on_one_line() {
        let problem = Problem {
            severity: Severity::Warning,
            place: Place::variable("PROXY_UPSTREAMS"),
            upstream: None,
            key: None,
            message: "unknown key `é\n\u{1b}[2J\u{9b}`; it is ignored".to_owned(),
        };
        assert_eq!(
            problem.to_string(),
            r"PROXY_UPSTREAMS: unknown key `é\n\u{1b}[2J\u{9b}`; it is ignored"
        );
    }
}
