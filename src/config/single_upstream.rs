//! The configuration of a single upstream by `PROXY_URL` and related variables.

use http::HeaderMap;

use super::filter::Globs;
use super::oauth::Credentials;
use super::problem::{Place, Problem, Severity};
use super::read_variable::variable;
use super::timeouts::Timeouts;
use super::{
    Environment, Filter, OAuth, Prefix, ServerUrl, TransportChoice, Upstream, UpstreamName, value,
};

/// The variables of this form only.
const COMPANIONS: [&str; 9] = [
    "PROXY_URL",
    "PROXY_NAME",
    "PROXY_TRANSPORT",
    "PROXY_INCLUDE_TOOLS",
    "PROXY_IGNORE_TOOLS",
    "PROXY_INCLUDE_PROMPTS",
    "PROXY_IGNORE_PROMPTS",
    "PROXY_INCLUDE_RESOURCES",
    "PROXY_IGNORE_RESOURCES",
];

/// Reads the upstream. Its name is the host if `PROXY_NAME` is not set.
pub(super) fn read(
    environment: &Environment,
    timeouts: Timeouts,
    problems: &mut Vec<Problem>,
) -> Option<Upstream> {
    let before = problems.len();
    let url = |text: &str| ServerUrl::parse(value::expand(text, environment)?.trim(), false);
    let url = variable(environment, "PROXY_URL", url, problems);
    let name = variable(environment, "PROXY_NAME", UpstreamName::new, problems);
    let transport = TransportChoice::parse;
    let transport = variable(environment, "PROXY_TRANSPORT", transport, problems);
    let mut globs = |name| {
        let compile = |text: &str| Globs::compile(&list(text));
        variable(environment, name, compile, problems).unwrap_or_default()
    };
    let mut filter = |include, ignore| Filter::new(globs(include), globs(ignore));
    let tools = filter("PROXY_INCLUDE_TOOLS", "PROXY_IGNORE_TOOLS");
    let prompts = filter("PROXY_INCLUDE_PROMPTS", "PROXY_IGNORE_PROMPTS");
    let resources = filter("PROXY_INCLUDE_RESOURCES", "PROXY_IGNORE_RESOURCES");
    if problems.len() > before {
        return None;
    }
    let url = url?;
    let host = || {
        let host = url.as_url().host_str()?.chars();
        UpstreamName::new(&String::from_iter(host.take(UpstreamName::MAX_CHARS))).ok()
    };
    let name = name.or_else(host)?;
    let mut oauth = OAuth::default();
    Credentials::read(environment, &name, problems).apply_to(&mut oauth, &name, problems);
    Some(Upstream {
        name,
        transport: transport.unwrap_or_default(),
        tools,
        prompts,
        resources,
        headers: HeaderMap::new(),
        prefix: Prefix::default(),
        timeout: timeouts.timeout,
        first_byte_timeout: timeouts.first_byte.unwrap_or(timeouts.timeout),
        keep_alive: timeouts.keep_alive,
        max_calls: None,
        oauth: Some(oauth),
        url,
    })
}

/// Warns about variables of this form, which are not used beside `PROXY_UPSTREAMS`.
pub(super) fn warn_if_set(environment: &Environment, problems: &mut Vec<Problem>) {
    let set = COMPANIONS
        .iter()
        .filter(|name| environment.get(name).is_some());
    problems.extend(set.map(|name| Problem {
        severity: Severity::Warning,
        place: Place::variable(name),
        upstream: None,
        key: None,
        message: "is not used, since PROXY_UPSTREAMS is set; move it there".to_owned(),
    }));
}

/// Parses a list of globs: a JSON array, or separated by commas.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| value::comma_list(text))
}
