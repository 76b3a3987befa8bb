//! The configuration: read from the environment and validated once.
//!
//! [`Config`] holds valid values only, so later code does not check them again. A fault disables
//! the affected upstream or setting alone and is listed in [`Config::problems`].

mod environment;
mod file;
mod filter;
mod header;
mod key;
mod limits;
mod oauth;
mod parse_upstream;
mod problem;
mod read_variable;
mod reader;
mod secret;
mod single_upstream;
mod timeouts;
mod upstream;
mod url;
mod value;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use environment::Environment;
pub use filter::Filter;
pub use key::{KEYS, KnownName, OAUTH_KEYS, VARIABLES};
pub use limits::Limits;
pub use oauth::{
    Enterprise, GrantChoice, Login, LoopbackHost, OAuth, Pkce, PrivateKey, RedirectUri, Resource,
};
pub use problem::{ConfigError, Place, Problem, Severity};
pub use secret::{Secret, exposed};
pub use upstream::{Prefix, TransportChoice, Upstream, UpstreamName};
pub use url::ServerUrl;
pub(crate) use url::is_loopback;

use file::Document;
use timeouts::Timeouts;

/// The whole configuration.
#[derive(Debug)]
pub struct Config {
    /// The valid upstreams, in the order written.
    pub upstreams: Vec<Upstream>,
    /// The limits of the whole program.
    pub limits: Limits,
    /// The errors and warnings.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// If no upstream is configured, the text cannot be parsed, or every upstream has an error.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let limits = Limits::read(environment, &mut problems);
        let timeouts = Timeouts::read(environment, &mut problems);
        let upstreams = match environment.get("PROXY_UPSTREAMS") {
            Some(text) => {
                single_upstream::warn_if_set(environment, &mut problems);
                let document = Document::open(text, environment)?;
                let context = reader::Context {
                    document: &document,
                    environment,
                    timeouts,
                };
                let root = document.parse()?;
                let entries = document.entries(&root)?;
                if entries.is_empty() {
                    problems.push(Problem {
                        severity: Severity::Warning,
                        place: document.place_of(&root),
                        upstream: None,
                        key: None,
                        message: "the list is empty; there will be no tools".to_owned(),
                    });
                }
                let read = |entry: file::Entry<'_>| {
                    let upstream = parse_upstream::read(&context, &entry, &mut problems)?;
                    Some((entry.place, upstream))
                };
                let read = entries.into_iter().filter_map(read).collect();
                without_duplicates(read, &mut problems)
            }
            None if environment.get("PROXY_URL").is_some() => {
                Vec::from_iter(single_upstream::read(environment, timeouts, &mut problems))
            }
            None => {
                return Err(ConfigError::Missing {
                    similar: similar_variable(environment),
                });
            }
        };
        Self::checked(upstreams, limits, problems)
    }

    /// The configuration file, if `PROXY_UPSTREAMS` names one.
    #[must_use]
    pub fn file(environment: &Environment) -> Option<PathBuf> {
        file::path(environment.get("PROXY_UPSTREAMS")?, environment)
    }

    /// The configuration of one upstream given on the command line, which replaces the configured ones.
    ///
    /// # Errors
    /// If the url or the name is invalid.
    pub fn for_url(
        environment: &Environment,
        url: &str,
        name: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let environment = environment
            .clone()
            .with("PROXY_UPSTREAMS", None)
            .with("PROXY_URL", Some(url))
            .with("PROXY_NAME", name);
        let mut problems = Vec::new();
        let limits = Limits::read(&environment, &mut problems);
        let timeouts = Timeouts::read(&environment, &mut problems);
        let upstream = match environment.get("PROXY_URL") {
            Some(_) => single_upstream::read(&environment, timeouts, &mut problems),
            None => {
                return Err(ConfigError::Missing { similar: None });
            }
        };
        for problem in &mut problems {
            match problem.place.source.as_str() {
                "PROXY_URL" => problem.place = Place::variable("--url"),
                "PROXY_NAME" => problem.place = Place::variable("NAME"),
                _ => {}
            }
        }
        Self::checked(Vec::from_iter(upstream), limits, problems)
    }

    fn checked(
        upstreams: Vec<Upstream>,
        limits: Limits,
        problems: Vec<Problem>,
    ) -> Result<Self, ConfigError> {
        let failed = problems.iter().any(|p| p.severity == Severity::Error);
        if upstreams.is_empty() && failed {
            return Err(ConfigError::NoUsableUpstream(problems));
        }
        Ok(Self {
            upstreams,
            limits,
            problems,
        })
    }
}

/// Removes upstreams whose name, or the variable derived from it, an earlier upstream has.
fn without_duplicates(read: Vec<(Place, Upstream)>, problems: &mut Vec<Problem>) -> Vec<Upstream> {
    let mut kept: Vec<Upstream> = Vec::with_capacity(read.len());
    for (place, upstream) in read {
        let variable = upstream.name.variable();
        let earlier = kept.iter().find(|kept| kept.name.variable() == variable);
        let message = match earlier {
            None => {
                kept.push(upstream);
                continue;
            }
            Some(earlier) if earlier.name == upstream.name => {
                "an earlier upstream has the same name; rename one".to_owned()
            }
            Some(earlier) => format!(
                "shares the variable `PROXY_{variable}_CLIENT_ID` with `{}`; rename one",
                earlier.name
            ),
        };
        problems.push(Problem {
            severity: Severity::Error,
            place,
            upstream: Some(upstream.name),
            key: Some("name".to_owned()),
            message,
        });
    }
    kept
}

/// A set variable that is probably a misspelled one of this program.
fn similar_variable(environment: &Environment) -> Option<String> {
    let is_variable = |name: &&str| VARIABLES.iter().any(|known| known.name == *name);
    let mut names = environment.names().filter(|name| !is_variable(name));
    let found = names.find(|name| {
        key::closest(&VARIABLES, name).is_some_and(|similar| similar.starts_with("PROXY_U"))
    });
    found.map(str::to_owned)
}
