//! Selects the upstream that a command is for.

use clap::Args;

use super::exit::CommandError;
use super::output::eprint_line;
use crate::config::{Config, ConfigError, Environment, Limits, Upstream, UpstreamName};

/// Selects an upstream by its name in the configuration, or by its url.
#[derive(Args, Debug)]
pub(super) struct UpstreamSelector {
    /// The server's name in the configuration; `login` and `logout` need it if there are several servers
    name: Option<String>,
    /// The same as NAME
    #[arg(long = "name", value_name = "NAME", conflicts_with = "name")]
    named: Option<String>,
    /// The server's url, instead of the configuration
    #[arg(long)]
    url: Option<String>,
}

impl UpstreamSelector {
    fn name(&self) -> Option<&str> {
        self.name.as_deref().or(self.named.as_deref())
    }

    /// Reads the configuration from the environment, or from `--url`.
    pub(super) fn configuration(&self, environment: &Environment) -> Result<Config, CommandError> {
        let read = match &self.url {
            Some(url) => Config::for_url(environment, url, self.name()),
            None => Config::from_environment(environment),
        };
        read.map_err(|error| {
            let text = match &error {
                ConfigError::Missing { .. } => {
                    let name = self.name().unwrap_or("NAME");
                    format!("{error}; or name the server here, with `{name} --url https://…`")
                }
                _ => error.to_string(),
            };
            CommandError::Usage(text)
        })
    }

    /// Returns the named upstream, or all upstreams if no name is given.
    ///
    /// # Errors
    /// [`CommandError::Usage`], if no upstream has the name.
    pub(super) fn select(&self, config: Vec<Upstream>) -> Result<Vec<Upstream>, CommandError> {
        let Some(name) = self.name() else {
            return Ok(config);
        };
        let names: Vec<_> = config.iter().map(|it| it.name.as_str()).collect();
        match names.iter().position(|known| *known == name) {
            Some(at) => Ok(config.into_iter().skip(at).take(1).collect()),
            None => Err(CommandError::Usage(format!(
                "no upstream is called `{name}`; {}",
                suggestions(name, names)
            ))),
        }
    }

    /// Returns the selected upstream, and the configured limits.
    ///
    /// # Errors
    /// [`CommandError::Usage`], if the selection is not a single upstream.
    pub(super) fn select_one(
        &self,
        environment: &Environment,
    ) -> Result<(Upstream, Limits), CommandError> {
        let config = self.configuration(environment)?;
        for problem in &config.problems {
            let about = problem.upstream.as_ref().map(UpstreamName::as_str);
            if about.is_none() || about == self.name() {
                eprint_line(&format!("mcp-manifold: {problem}"));
            }
        }
        let mut all = self.select(config.upstreams)?;
        match (all.pop(), all.is_empty()) {
            (Some(upstream), true) => Ok((upstream, config.limits)),
            (Some(last), false) => {
                all.push(last);
                let names = all.iter().map(|it| it.name.as_str()).collect();
                Err(CommandError::Usage(format!(
                    "which one? {}",
                    suggestions("", names)
                )))
            }
            (None, _) => Err(CommandError::Usage(
                "no upstream is configured; set PROXY_UPSTREAMS".to_owned(),
            )),
        }
    }
}

/// Lists the configured names, the most similar first.
fn suggestions(name: &str, mut names: Vec<&str>) -> String {
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "none is configured".to_owned(),
        1 => format!("there is only {}", names[0]),
        _ => format!("there are {}", names.join(", ")),
    }
}
