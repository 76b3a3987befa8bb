//! The command line: help, invalid arguments, and the page that documents them.

use super::{CommandOutput, setup};
use serde_json::json;
use testkit::oauth::server;

#[tokio::test]
async fn every_command_has_help_with_examples() {
    let setup = setup(server()).await;
    let help = setup.run("--help").await;
    assert_eq!(help.code, 0);
    for command in ["login", "logout", "status"] {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{}",
            help.stdout
        );
        let command_help = setup.run(&format!("{command} --help")).await;
        assert_eq!(command_help.code, 0);
        let examples = format!("Examples:\n  mcp-manifold {command}");
        assert!(
            command_help.stdout.contains(&examples),
            "{}",
            command_help.stdout
        );
        assert!(
            command_help.stdout.contains("--url <URL>"),
            "{}",
            command_help.stdout
        );
    }
}

#[tokio::test]
async fn invalid_command_line_exits_with_status_2() {
    let setup = setup(server()).await;
    for line in [
        "logni",
        "login --no-browsre",
        "login linear docs",
        "status --url",
    ] {
        let output = setup.run(line).await;
        output.assert(2, "error: ");
        assert_eq!(output.stdout, "", "{line}");
    }
}

#[tokio::test]
async fn login_to_an_upstream_without_sign_in_gives_the_reason() {
    let setup = setup(server()).await;
    let off = [
        (json!({"oauth": false}), "`linear` has `oauth` turned off; "),
        (
            json!({"headers": {"Authorization": "Bearer hidden"}}),
            "`linear` has an `Authorization` header in its configuration, so it has no sign-in; ",
        ),
    ];
    for (extra, why) in off {
        let command = setup.command("login linear").extra("linear", extra);
        let output = CommandOutput::new(command.output().await);
        output.assert(2, why);
        assert!(!output.stderr.contains("hidden"));
    }
}

#[tokio::test]
async fn commands_page_documents_every_option_and_json_key() {
    let setup = setup(server()).await;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut options = Vec::new();
    for command in ["login", "logout", "status"] {
        let help = setup.run(&format!("{command} --help")).await.stdout;
        let words = help.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        options.extend(words.filter(|it| it.starts_with("--")).map(str::to_owned));
    }
    assert!(options.len() > 10, "{options:?}");
    for option in options {
        assert!(page.contains(&format!("`{option}")), "{option}");
    }
    let json = setup.run("status --offline --json").await.json();
    let members = json["upstreams"][0].as_object().unwrap().keys();
    for member in members.chain(json.as_object().unwrap().keys()) {
        assert!(page.contains(&format!("`{member}`")), "{member}");
    }
}
