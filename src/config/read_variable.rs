//! Reads one environment variable.

use super::environment::Environment;
use super::problem::{Place, Problem, Severity};

/// Parses a variable. If that fails, reports the problem and returns `None`, as for a variable that is not set.
pub(super) fn variable<T>(
    environment: &Environment,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let read = parse(environment.get(name)?);
    read.map_err(|message| {
        problems.push(Problem {
            severity: Severity::Error,
            place: Place::variable(name),
            upstream: None,
            key: None,
            message,
        });
    })
    .ok()
}
