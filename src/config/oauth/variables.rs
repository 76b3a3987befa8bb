//! The variables of a client: `PROXY_<NAME>_CLIENT_ID` and `PROXY_<NAME>_CLIENT_SECRET`.

use super::OAuth;
use crate::config::problem::{Place, Problem, Severity};
use crate::config::read_variable::variable;
use crate::config::reader::Reader;
use crate::config::{Environment, Secret, UpstreamName, value};

/// The client id and secret from the variables of one upstream.
pub(in crate::config) struct Credentials {
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

impl Credentials {
    /// Reads the variables. An invalid one is reported and counts as not set.
    pub(in crate::config) fn read(
        environment: &Environment,
        name: &UpstreamName,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut read = |name: String| {
            let line = |text: &str| value::line(text).map(|line| line.map(str::to_owned));
            variable(environment, &name, line, problems).flatten()
        };
        Self {
            client_id: read(id_variable(name)),
            client_secret: read(secret_variable(name)).map(Secret::new),
        }
    }

    /// Replaces the configured id and secret. Reports a secret without an id.
    pub(in crate::config) fn apply_to(
        self,
        oauth: &mut OAuth,
        name: &UpstreamName,
        problems: &mut Vec<Problem>,
    ) {
        oauth.client_id = self.client_id.or(oauth.client_id.take());
        match self.client_secret {
            Some(secret) if oauth.client_id.is_some() => oauth.client_secret = Some(secret),
            Some(_) => {
                let id = id_variable(name);
                problems.push(Problem {
                    severity: Severity::Error,
                    place: Place::variable(&secret_variable(name)),
                    upstream: Some(name.clone()),
                    key: None,
                    message: format!("is a secret without a client; set `{id}` as well"),
                });
            }
            None => {}
        }
    }

    /// Warns that the variables are not used beside a configured `Authorization`.
    pub(in crate::config) fn warn_unused_beside_header(
        self,
        name: &UpstreamName,
        problems: &mut Vec<Problem>,
    ) {
        let set = [
            self.client_id.map(|_| id_variable(name)),
            self.client_secret.map(|_| secret_variable(name)),
        ];
        problems.extend(set.into_iter().flatten().map(|variable| Problem {
            severity: Severity::Warning,
            place: Place::variable(&variable),
            upstream: Some(name.clone()),
            key: None,
            message:
                "is not used, since `headers` holds `Authorization`; remove one of them".to_owned(),
        }));
    }
}

/// The name of the variable for the client id.
pub(super) fn id_variable(name: &UpstreamName) -> String {
    format!("PROXY_{}_CLIENT_ID", name.variable())
}

/// The name of the variable for the client secret.
pub(super) fn secret_variable(name: &UpstreamName) -> String {
    format!("PROXY_{}_CLIENT_SECRET", name.variable())
}

/// Reports that a key is missing, unless it is present but invalid, which was already reported.
pub(super) fn report_missing(reader: &mut Reader<'_, '_>, key: &'static str, by: &str) {
    if reader.is_invalid(key) {
        return;
    }
    let variable = match (key, &reader.name) {
        ("client_id", Some(name)) => Some(id_variable(name)),
        ("client_secret", Some(name)) => Some(secret_variable(name)),
        _ => None,
    };
    let or = match (key, variable) {
        ("client_secret", Some(variable)) => {
            format!(", set `{variable}`, or add `private_key_pem`")
        }
        (_, Some(variable)) => format!(", or set `{variable}`"),
        (_, None) => String::new(),
    };
    let place = reader.place.clone();
    reader.error(
        Some(key),
        place,
        format!("is missing, and {by} needs it; add it{or}"),
    );
}
