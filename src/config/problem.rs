//! What is wrong with a configuration, where, and what to do about it.

use std::fmt::{self, Write as _};
use std::io;

use super::UpstreamName;

/// Whether a problem costs the upstream or the setting it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The upstream is left out, or the variable not used.
    Error,
    /// Everything is used all the same.
    Warning,
}

/// A place in the text of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The variable, or the file that it names.
    pub source: String,
    /// The line and the column, in characters; both count from 1. `None` for the whole.
    pub position: Option<(usize, usize)>,
}

impl Place {
    /// The whole of a variable.
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

/// Something wrong with a part of the configuration; the rest is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it costs.
    pub severity: Severity,
    /// Where it stands.
    pub place: Place,
    /// The upstream it is about, when that is known.
    pub upstream: Option<UpstreamName>,
    /// The key or the variable's part it is about.
    pub key: Option<String>,
    /// What is wrong, and after a semicolon what to do.
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

/// Writes a message on one line: it may repeat what was written, and goes to a terminal.
fn one_line(f: &mut fmt::Formatter<'_>, message: &str) -> fmt::Result {
    message.chars().try_for_each(|c| match c.is_control() {
        true => write!(f, "{}", c.escape_default()),
        false => f.write_char(c),
    })
}

/// Why there is nothing to serve. The program ends with status 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No variable says where the remote servers are.
    #[error(
        "no upstream is configured; set PROXY_UPSTREAMS, for example to \
         `[{{\"name\": \"docs\", \"url\": \"https://mcp.example.com/mcp\"}}]`{}",
        suggestion(.similar.as_deref())
    )]
    Missing {
        /// A variable that is set and whose name comes close.
        similar: Option<String>,
    },
    /// `PROXY_UPSTREAMS` names a file that cannot be read.
    #[error("PROXY_UPSTREAMS: cannot read `{path}`: {source}; check the path after the `@`")]
    Unreadable {
        /// The file, as it was looked for.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The text is not JSON, comments and trailing commas allowed for.
    #[error("{place}: {message}")]
    Syntax {
        /// Where reading stopped.
        place: Place,
        /// What stood there, and what to do.
        message: String,
    },
    /// The text is JSON of another shape.
    #[error(
        "{place}: {found} where upstreams were expected; write an array of upstreams, \
         or an object of them keyed by name"
    )]
    Shape {
        /// Where it stands.
        place: Place,
        /// What was found, as in "a string".
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
    fn a_problem_is_told_on_one_line_whatever_it_repeats() {
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
