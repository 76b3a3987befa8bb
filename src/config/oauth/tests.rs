//! Tests of `oauth` and its variables.

use proptest::prelude::*;

use super::*;
use crate::config::{Config, Environment, OAUTH_KEYS, Problem, Upstream};

mod fault;
mod value;

/// The value of every secret. No message and no `Debug` text may contain it.
const SECRET: &str = "hunter2";

/// A grant with every required `idp_*` value.
const ENTERPRISE: &str = r#""grant":"enterprise","idp_client_id":"us","idp_id_token":"hunter2",
    "idp_token_endpoint":"https://idp.example/token?tenant=1""#;

fn read_with(entry: &str, variables: &[(&str, &str)]) -> Config {
    let list = format!(r#"[{{"name":"o","url":"https://o.example"}},{entry}]"#);
    let fixed = [
        ("PROXY_UPSTREAMS", list.as_str()),
        ("SECRET", SECRET),
        ("ID", "id-of-us"),
        ("WORD", "device"),
    ];
    let variables = fixed.iter().chain(variables);
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: Environment = variables.map(owned).collect();
    Config::from_environment(&environment).unwrap()
}

fn entry(rest: &str) -> String {
    format!(r#"{{"name":"my.docs","url":"https://docs.example/mcp"{rest}}}"#)
}

/// Reads an upstream with these `keys` inside `oauth`.
fn read(keys: &str) -> Config {
    read_with(&entry(&format!(r#","oauth":{{{keys}}}"#)), &[])
}

/// The problems, each with its severity and key.
fn problems(config: &Config) -> Vec<String> {
    let reported = |p: &Problem| {
        let at = match p.place.position {
            Some(_) => "",
            None => &p.place.source,
        };
        let key = p.key.as_deref().unwrap_or_default();
        format!("{:?} {at}{key}: {}", p.severity, p.message)
    };
    config.problems.iter().map(reported).collect()
}

/// The upstream under test, which must be valid.
fn upstream(config: &Config) -> &Upstream {
    assert_eq!(config.upstreams.len(), 2, "{:?}", problems(config));
    &config.upstreams[1]
}

proptest! {
    #[test]
    fn no_value_inside_oauth_panics(
        key in proptest::sample::select(OAUTH_KEYS.map(|known| known.name).to_vec()),
        grant in proptest::sample::select(vec!["", "device", "client_credentials", "jwt_bearer", "enterprise"]),
        value in r#"(null|true|-?[1-9][0-9]{0,29}|"(https?://|-----BEGIN |)[a-zé$\{\}\[\]:/?#@ -]{0,12}"|\["[\[{a*é]{0,5}"\]|\{"[a-z -]{0,5}":"[$\{\}a]{0,6}"\})"#,
    ) {
        read(&format!(r#""grant":"{grant}","{key}":{value}"#));
    }
}
