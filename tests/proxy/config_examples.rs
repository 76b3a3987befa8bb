//! The examples in `config/` and configurations of mcp-devtools load without a problem.
//! `docs/configuration.md` documents every key and variable.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jsonc_parser::ast::Value;
use mcp_manifold::config::{Config, Environment, KEYS, OAUTH_KEYS, VARIABLES};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The environment variables that a client configuration sets for `mcp-manifold`.
fn server_environment(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap();
    if file
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        let table: toml::Table = text.parse().unwrap();
        let set = table["mcp_servers"]["manifold"]["env"].as_table().unwrap();
        let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
        return set
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
    }
    let parsed = jsonc_parser::parse_to_ast(&text, &Default::default(), &Default::default());
    let root = parsed.unwrap().value.unwrap();
    let root = root.as_object().unwrap();
    let servers = root.get_object("mcpServers").or(root.get_object("servers"));
    let server = servers.unwrap().get_object("manifold").unwrap();
    assert!(
        server
            .get_string("command")
            .unwrap()
            .value
            .ends_with("mcp-manifold")
    );
    let set = server.get_object("env").unwrap();
    let text = |value: &Value<'_>| value.as_string_lit().unwrap().value.to_string();
    let pair = |p: &jsonc_parser::ast::ObjectProp<'_>| (p.name.as_str().to_owned(), text(&p.value));
    set.properties.iter().map(pair).collect()
}

/// Loads a configuration with test tokens, and returns the names of its upstreams.
fn load(mut variables: BTreeMap<String, String>) -> Vec<String> {
    for token in ["LINEAR_TOKEN", "GITHUB_TOKEN"] {
        variables.insert(token.to_owned(), "a-token".to_owned());
    }
    let config = Config::from_environment(&Environment::from_iter(variables)).unwrap();
    assert!(config.problems.is_empty(), "{:?}", config.problems);
    config
        .upstreams
        .iter()
        .map(|upstream| upstream.name.to_string())
        .collect()
}

#[test]
fn client_example_files_load() {
    let expected = [
        (
            "claude-code.jsonc",
            &["linear", "tracker", "github", "docs"][..],
        ),
        ("claude-desktop.jsonc", &["docs", "wiki"]),
        ("codex.toml", &["linear", "github"]),
        ("cursor.jsonc", &["docs"]),
        ("vscode.jsonc", &["github"]),
    ];
    let mut found = files("config");
    found.retain(|file| !file.ends_with("upstreams.jsonc"));
    assert_eq!(
        found.len(),
        expected.len(),
        "every client example needs a row in this table"
    );
    for (file, (name, upstreams)) in found.iter().zip(expected) {
        assert!(file.ends_with(name), "{}", file.display());
        assert_eq!(load(server_environment(file)), upstreams, "{name}");
    }
}

#[test]
fn annotated_upstream_list_loads() {
    let list = format!("@{}", root().join("config/upstreams.jsonc").display());
    let variables = BTreeMap::from([("PROXY_UPSTREAMS".to_owned(), list)]);
    assert_eq!(load(variables), ["linear", "tracker", "github", "docs"]);
}

#[test]
fn mcp_devtools_configurations_load_unchanged() {
    let fixtures = files("tests/fixtures/devtools");
    assert_eq!(fixtures.len(), 9);
    for fixture in fixtures {
        let text = fs::read_to_string(&fixture).unwrap();
        let variables = BTreeMap::from([
            ("ENABLE_ADDITIONAL_TOOLS".to_owned(), "proxy".to_owned()),
            ("PROXY_UPSTREAMS".to_owned(), text.clone()),
        ]);
        let names = load(variables);
        assert_eq!(
            names.len(),
            text.matches("\"url\"").count(),
            "{}",
            fixture.display()
        );
    }
}

#[test]
fn every_key_and_variable_is_documented() {
    let documentation = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let is_reference =
        |block: &&str| block.starts_with("| key |") || block.starts_with("| variable |");
    let rows: Vec<&str> = documentation
        .split("\n\n")
        .filter(is_reference)
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let known: Vec<&str> = KEYS
        .iter()
        .chain(&OAUTH_KEYS)
        .chain(&VARIABLES)
        .map(|known| known.name)
        .collect();
    assert_eq!(
        rows, known,
        "the tables of docs/configuration.md list all keys in order"
    );
    let keys = KEYS.iter().chain(&OAUTH_KEYS);
    for synonym in keys.flat_map(|known| known.synonyms) {
        assert!(
            documentation.contains(&format!("`{synonym}`")),
            "`{synonym}` is not documented"
        );
    }
}
