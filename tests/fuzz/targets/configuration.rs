//! The configuration: accepted values are valid, and each problem has its place.

use mcp_manifold::config::{
    Config, ConfigError, Environment, GrantChoice, OAuth, Place, Prefix, Problem, Severity,
    Upstream, UpstreamName, VARIABLES,
};
use std::collections::BTreeSet;
use std::time::Duration;
use url::{Host, Url};

/// The value of the variable `SECRET`; no problem may repeat it.
const SECRET: &str = "hunter2-hunter2";

/// Some headers that the configuration cannot set.
const OURS: [&str; 4] = ["host", "content-length", "mcp-session-id", "accept"];

/// Up to the first empty line, `NAME=value` sets a variable; what follows is `PROXY_UPSTREAMS`.
pub(crate) fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, list) = match text.split_once("\n\n") {
        Some((head, list)) => (head, Some(list)),
        None => (&*text, None),
    };
    let mut variables = vec![("SECRET".to_owned(), SECRET.to_owned())];
    for (name, value) in head.lines().filter_map(|line| line.split_once('=')) {
        variables.push((name.to_owned(), value.to_owned()));
    }
    let list = list.map(|list| ("PROXY_UPSTREAMS".to_owned(), list.to_owned()));
    variables.extend(list);
    let environment = Environment::from_iter(variables);
    let list = environment.get("PROXY_UPSTREAMS").unwrap_or_default();
    // The name of a file: a test must not depend on files of the machine.
    if list.trim().starts_with('@') {
        return;
    }
    let read = Config::from_environment(&environment);
    let again = Config::from_environment(&environment);
    assert_eq!(format!("{read:?}"), format!("{again:?}"), "read twice");
    check(&read, list);
    let alone = Config::for_url(&environment, list.trim(), None);
    check_one(&alone);
}

fn check(read: &Result<Config, ConfigError>, list: &str) {
    match read {
        Ok(config) => {
            check_config(config);
            for problem in &config.problems {
                check_problem(problem, list);
            }
        }
        Err(ConfigError::NoUsableUpstream(problems)) => {
            assert!(problems.iter().any(|it| it.severity == Severity::Error));
            for problem in problems {
                check_problem(problem, list);
            }
        }
        Err(ConfigError::Syntax { place, .. } | ConfigError::Shape { place, .. }) => {
            assert!(place.position.is_some(), "{place}");
            check_place(place, list);
        }
        Err(ConfigError::Missing { .. }) => assert_eq!(list, ""),
        Err(ConfigError::Unreadable { .. }) => panic!("no file was named"),
    }
    let error = read.as_ref().err().map(ToString::to_string);
    assert!(error.is_none_or(|error| !error.is_empty()));
}

/// Asserts that a single URL is one upstream or an error.
fn check_one(read: &Result<Config, ConfigError>) {
    match read {
        Ok(config) => {
            check_config(config);
            assert_eq!(config.upstreams.len(), 1);
        }
        Err(error) => assert!(matches!(
            error,
            ConfigError::NoUsableUpstream(_) | ConfigError::Missing { .. }
        )),
    }
}

fn check_config(config: &Config) {
    let limits = &config.limits;
    assert!(limits.message_bytes >= 4096 && limits.tool_name_length >= 16);
    assert!(limits.parked_calls >= 1);
    check_time(limits.startup_wait);
    check_time(limits.input_wait);
    let mut variables = BTreeSet::new();
    for upstream in &config.upstreams {
        let variable = upstream.name.variable();
        assert!(variables.insert(variable), "`{}` twice", upstream.name);
        check_upstream(upstream);
    }
}

fn check_upstream(upstream: &Upstream) {
    let name = upstream.name.as_str();
    assert!(!name.is_empty() && !name.contains(char::is_control));
    assert!(name.chars().count() <= UpstreamName::MAX_CHARS);
    check_time(upstream.timeout);
    let url = upstream.url.as_url();
    assert!(["https", "http"].contains(&url.scheme()), "{url}");
    assert_eq!(upstream.url.is_loopback(), is_loopback(url));
    check_url(url);
    assert!(!upstream.url.to_string().contains('?'));
    for (name, value) in &upstream.headers {
        assert!(value.is_sensitive());
        assert!(!OURS.contains(&name.as_str()), "`{name}` is ours");
    }
    for filter in [&upstream.tools, &upstream.prompts, &upstream.resources] {
        for name in ["", name, "get_issue", "a/b", "{", "\u{130}"] {
            let allows = filter.allows(name);
            assert_eq!(allows, filter.allows_any_name(&[name]));
            assert!(allows || !filter.allows_all());
        }
    }
    if let Prefix::Always(prefix) = &upstream.prefix {
        assert!(!prefix.is_empty());
    }
    if let Some(oauth) = &upstream.oauth {
        let signs_itself = upstream.headers.contains_key("authorization");
        assert!(!signs_itself, "two credentials");
        check_oauth(oauth);
    }
}

fn check_oauth(oauth: &OAuth) {
    check_time(oauth.login_retry);
    let issuer = oauth.authorization_server.as_deref();
    let issuer = issuer.map(|issuer| issuer.parse().expect("a url"));
    for url in oauth.client_metadata_url.iter().chain(&issuer) {
        assert!(url.scheme() == "https" || url.scheme() == "http" && is_loopback(url));
        check_url(url);
    }
    let has_key = oauth.client_secret.is_some() || oauth.private_key.is_some();
    let is_known = oauth.client_id.is_some() || oauth.client_metadata_url.is_some();
    assert!(is_known || !has_key, "a secret without a client");
    for scope in oauth.scopes.iter().flatten() {
        assert!(!scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    let names: BTreeSet<_> = oauth
        .authorize_params
        .iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names.len(), oauth.authorize_params.len());
    if let Some(redirect) = &oauth.redirect_uri {
        let url: Url = redirect.with_port(1).parse().expect("a url");
        assert!(is_loopback(&url) && url.scheme() == "http");
        assert_eq!(url.path(), redirect.path());
    }
    match &oauth.grant {
        GrantChoice::ClientCredentials => assert!(oauth.client_id.is_some() && has_key),
        GrantChoice::Enterprise(enterprise) => check_url(&enterprise.idp_token_endpoint),
        _ => {}
    }
}

/// Asserts that a URL has a host, and no credentials or fragment.
fn check_url(url: &Url) {
    assert!(url.host_str().is_some_and(|host| !host.is_empty()), "{url}");
    assert!(url.username().is_empty() && url.password().is_none());
    assert_eq!(url.fragment(), None);
}

fn is_loopback(url: &Url) -> bool {
    match url.host().expect("a host") {
        Host::Ipv4(address) => address.octets()[0] == 127,
        Host::Ipv6(address) => address.segments() == [0, 0, 0, 0, 0, 0, 0, 1],
        Host::Domain(name) => name.rsplit('.').next() == Some("localhost"),
    }
}

fn check_time(time: Duration) {
    assert!(!time.is_zero() && time <= Duration::from_secs(24 * 60 * 60));
}

fn check_problem(problem: &Problem, list: &str) {
    let text = problem.to_string();
    assert!(!problem.message.is_empty(), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    check_place(&problem.place, list);
    let is_url = problem.key.as_deref() == Some("url") || problem.place.source == "PROXY_URL";
    assert!(is_url || !text.contains(SECRET), "{text}");
}

/// Asserts that a place is in the list of upstreams or is a known variable.
fn check_place(place: &Place, list: &str) {
    let source = place.source.as_str();
    let Some((line, column)) = place.position else {
        let is_client = source.ends_with("_CLIENT_ID") || source.ends_with("_CLIENT_SECRET");
        let is_ours = VARIABLES.iter().any(|known| known.name == source);
        assert!(
            is_ours || is_client && source.starts_with("PROXY_"),
            "{place}"
        );
        return;
    };
    assert_eq!(source, "PROXY_UPSTREAMS");
    let text = line
        .checked_sub(1)
        .and_then(|line| list.split('\n').nth(line));
    let columns = text.map(|text| text.chars().count() + 1);
    assert!(
        columns.is_some_and(|last| (1..=last).contains(&column)),
        "{place}"
    );
}
