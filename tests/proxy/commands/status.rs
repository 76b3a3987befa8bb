//! The output of `status` for each upstream, as a table and as JSON.

use serde_json::{Value, json};

use super::{CommandOutput, Setup, setup};
use testkit::oauth::{Part, server};
use testkit::{Endpoint, proxy, upstream};

impl Setup {
    /// Sets the expiry of the stored token to a time long ago.
    fn expire_token(&self) {
        let file = self.folder().join("tokens.json");
        let mut tokens: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert!(tokens["expires_at"].is_u64(), "{tokens}");
        tokens["expires_at"] = json!(1_600_000_000);
        tokens["issued_at"] = json!(1_500_000_000);
        std::fs::write(&file, tokens.to_string()).unwrap();
    }
}

/// The JSON output, with the values that differ between runs replaced.
async fn normalized_json(setup: &Setup, line: &str, code: i32) -> String {
    let output = setup.run(line).await;
    assert_eq!(output.code, code, "{}", output.stderr);
    let text = output.stdout.replace(&setup.upstream.url(), "(url)");
    let mut text = text.replace(&setup.server.issuer(), "(issuer)");
    let row = &output.json()["upstreams"][0];
    for (key, shown) in [("clientId", "\"(id)\""), ("expiresAt", "1800000000")] {
        if !row[key].is_null() {
            text = text.replace(&row[key].to_string(), shown);
        }
    }
    text
}

#[tokio::test]
async fn json_status_reports_the_login() {
    let setup = setup(server().scopes("read write")).await;
    insta::assert_snapshot!("before", normalized_json(&setup, "status --json", 1).await);
    setup.sign_in().await;
    insta::assert_snapshot!("after", normalized_json(&setup, "status --json", 0).await);
    insta::assert_snapshot!(
        "offline",
        normalized_json(&setup, "status --json --offline", 0).await
    );
    assert_eq!(setup.server.count(Part::Authorization), 1);
    assert_eq!(setup.server.count(Part::Registration), 1);
}

#[tokio::test]
async fn table_shows_missing_sign_in_and_the_command_to_run() {
    let setup = setup(server()).await;
    let open = upstream::legacy().tool("a").start().await;
    let status = || {
        let command = setup.command("status").upstream("open", &open);
        async { CommandOutput::new(command.output().await) }
    };
    let before = status().await;
    assert_eq!(before.code, 1, "{}", before.stdout);
    let lines: Vec<_> = before.stdout.lines().collect();
    assert!(
        lines[0].starts_with("NAME    SIGN-IN        SCOPES  SERVER"),
        "{lines:#?}"
    );
    assert!(
        lines[1].starts_with("linear  not signed in  -       -"),
        "{lines:#?}"
    );
    assert!(
        lines[2].contains("Streamable HTTP 2025-11-25 (legacy), 1 tool"),
        "{lines:#?}"
    );
    assert_eq!(
        lines[3..],
        [
            "",
            "linear: the server needs you to sign in; run `mcp-manifold login linear`"
        ]
    );
    assert!(setup.stored_files().is_empty());

    setup.sign_in().await;
    let after = status().await;
    assert_eq!(after.code, 0, "{}", after.stdout);
    let line = after.stdout.lines().nth(1).unwrap();
    assert!(line.starts_with("linear  signed in, renewed in "), "{line}");
    assert!(
        line.contains("Streamable HTTP 2026-07-28 (modern), 2 tools"),
        "{line}"
    );
    assert_eq!(after.stderr, "");
}

#[tokio::test]
async fn offline_status_contacts_no_server() {
    let setup = setup(server()).await;
    let output = setup.run("status --offline").await;
    assert_eq!(output.code, 0);
    assert!(
        output.stdout.contains("linear  nothing stored"),
        "{}",
        output.stdout
    );
    assert_eq!(setup.upstream.refused(), []);
    assert!(!setup.home.path().join(".mcp-manifold").exists());
}

#[tokio::test]
async fn pending_login_is_reported_with_its_url() {
    let setup = setup(server()).await;
    let (mut client, page) = setup.begin_login("login linear --no-browser").await;
    let status = setup.run("status --json").await;
    assert_eq!(status.code, 1);
    assert_eq!(status.json()["upstreams"][0]["signInUrl"], page);
    client.kill().await;
}

#[tokio::test]
async fn expired_token_is_refreshed_or_reported() {
    let renewed = setup(server()).await;
    renewed.sign_in().await;
    renewed.expire_token();
    let output = renewed.run("status --offline").await;
    assert!(
        output.stdout.contains("signed in, renewed when used"),
        "{}",
        output.stdout
    );
    assert_eq!(output.code, 0);
    assert_eq!(renewed.server.grants("refresh_token").len(), 0);
    assert_eq!(renewed.run("status").await.code, 0);
    assert_eq!(renewed.server.grants("refresh_token").len(), 1);

    // The token has expired by its stored time, but the server still accepts it.
    let not_renewable = setup(server().without_refresh_tokens()).await;
    not_renewable.sign_in().await;
    not_renewable.expire_token();
    let output = not_renewable.run("status --offline").await;
    assert_eq!(output.code, 1, "{}", output.stdout);
    let missing = "\nlinear: the access token has expired and cannot be renewed; \
                   run `mcp-manifold login linear`\n";
    assert!(output.stdout.ends_with(missing), "{}", output.stdout);
    assert_eq!(not_renewable.run("status").await.code, 0);
    not_renewable.server.revoke_all();
    let output = not_renewable.run("status").await;
    assert_eq!(output.code, 1);
    assert!(
        output.stdout.contains("linear  not signed in  "),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn problems_are_reported_and_exit_with_status_1() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    let command = setup
        .command("status --json")
        .upstream("down", "http://127.0.0.1:1/mcp");
    let command = command.upstream("clear", "http://mcp.example.com/mcp");
    let output = CommandOutput::new(command.output().await);
    assert_eq!(output.code, 1);
    let json = output.json();
    let [linear, down] = &json["upstreams"].as_array().unwrap()[..] else {
        panic!("{json}");
    };
    assert_eq!(linear["problem"], Value::Null);
    assert_eq!(down["signIn"], "unknown");
    assert_eq!(down["command"], Value::Null);
    let problem = down["problem"].as_str().unwrap();
    assert!(
        problem.starts_with("cannot connect to the server: "),
        "{problem}"
    );
    let problem = json["problems"][0].as_str().unwrap();
    assert!(problem.contains("upstream `clear`: url: "), "{problem}");

    std::fs::write(setup.folder().join("tokens.json"), "{").unwrap();
    let output = setup.run("status --offline").await;
    assert_eq!(output.code, 1);
    assert!(
        output.stdout.contains("tokens.json` is damaged"),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn upstream_without_sign_in_has_no_problem() {
    let open = upstream::http_sse().tool("a").start().await;
    let command = |extra: Value, line: &str| {
        let program = proxy::new().upstream("open", &open).extra("open", extra);
        line.split(' ').fold(program, proxy::Builder::arg)
    };
    let cases = [
        (json!({}), "not needed"),
        (json!({"oauth": "off"}), "off"),
        (
            json!({"headers": {"Authorization": "Bearer x"}}),
            "by its own header",
        ),
    ];
    for (extra, shown) in cases {
        let output = CommandOutput::new(command(extra, "status").output().await);
        assert_eq!(output.code, 0, "{}", output.stdout);
        let line = output.stdout.lines().nth(1).unwrap();
        assert!(line.starts_with(&format!("open  {shown}  ")), "{line}");
        assert!(
            line.contains("HTTP+SSE 2024-11-05 (legacy), 1 tool"),
            "{line}"
        );
        assert!(line.ends_with(&open.url()), "{line}");
    }
}
