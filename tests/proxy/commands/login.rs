//! The `login` command: with a browser, with a manual login, repeated, denied or interrupted.

use std::time::Duration;

use serde_json::json;

use super::{CommandOutput, PASTE_PROMPT, Setup, find_line, setup};
use testkit::oauth::{Browser, Part, protect, server};
use testkit::upstream::Kind;
use testkit::{proxy, upstream, within};

testkit::per_kind! {
    server_without_authorization_needs_no_sign_in
}

#[tokio::test]
async fn login_without_a_display_accepts_a_browser_callback() {
    let setup = setup(server()).await;
    let (mut client, url) = setup.begin_login("login linear").await;
    let stderr = client.stderr();
    assert!(stderr.contains("there is no display"), "{stderr}");
    let page = Browser::consenting().open(&url).await;
    assert_eq!(page.status, 200, "{}", page.text);
    setup.wait_until_signed_in(&mut client).await;
    assert_eq!(setup.server.refusals(), []);
    assert_eq!(
        setup.stored_files(),
        [
            "client-info.json",
            "login.json",
            "metadata.json",
            "tokens.json",
            "upstream.json"
        ]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn stored_login_is_accessible_to_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let setup = setup(server()).await;
    setup.sign_in().await;
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(setup.folder()), 0o700);
    for name in setup.stored_files() {
        assert_eq!(mode(setup.folder().join(&name)), 0o600, "{name}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn available_browser_is_opened_and_stdin_is_not_read() {
    use std::os::unix::fs::PermissionsExt;

    let setup = setup(server()).await;
    let opener = setup.home.path().join("xdg-open");
    std::fs::write(&opener, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let command = setup.command("login linear").env("DISPLAY", ":0");
    let command = command.env("PATH", format!("{}:{path}", setup.home.path().display()));
    let mut client = command.start().await;
    client.wait_for_stderr("opened in your browser").await;
    setup.server.wait_for(Part::Registration, 1).await;
    let url = within("the URL of the sign-in page", async {
        client.wait_for_stderr("\n\n").await;
        find_line(&client, "http")
    });
    let url = url.await;
    assert!(!client.stderr().contains(PASTE_PROMPT));
    Browser::consenting().open(&url).await;
    setup.wait_until_signed_in(&mut client).await;
}

#[tokio::test]
async fn running_proxy_applies_a_login_by_command() {
    for option in ["--no-browser", "--device"] {
        let setup = setup(server().device_grant(Duration::ZERO)).await;
        let mut serving = setup.command("").start().await;
        serving.initialize().await;
        serving
            .wait_for_stderr("the server needs you to sign in")
            .await;

        let mut client = setup
            .command(&format!("login linear {option}"))
            .start()
            .await;
        let message = if option == "--device" {
            "compare it:\n\n"
        } else {
            PASTE_PROMPT
        };
        client.wait_for_stderr(message).await;
        let url = find_line(&client, "http");
        let redirect = Browser::consenting().redirect(&url).await;
        if let Ok(redirect) = redirect {
            client.send_line(redirect.as_str()).await;
        }
        setup.wait_until_signed_in(&mut client).await;
        serving.wait_for_tools(&["search", "write"]).await;
        let called = serving.call("search", json!({})).await;
        assert!(called["result"].is_object(), "{called}");
        assert_eq!(setup.server.count(Part::Registration), 1, "{option}");
        assert!(serving.close().await.success());
    }
}

#[tokio::test]
async fn repeated_login_explains_how_to_sign_out_first() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    let repeated = setup.run("login linear").await;
    repeated.assert(0, "already signed in to `linear`; 2 tools; ");
    repeated.assert(0, "run `mcp-manifold logout linear` first");
    assert_eq!(setup.server.count(Part::Authorization), 1);
}

#[tokio::test]
async fn login_after_revocation_reuses_the_client_registration() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    setup.server.revoke_all();
    setup.sign_in().await;
    assert_eq!(setup.server.count(Part::Registration), 1);
}

async fn server_without_authorization_needs_no_sign_in(kind: Kind) {
    let open = kind.server().tool("a").start().await;
    let program = proxy::new().upstream("open", &open);
    let output = CommandOutput::new(program.arg("login").arg("open").output().await);
    output.assert(0, "`open` needs no sign-in; 1 tool\n");
    assert_eq!(output.stdout, "");
}

#[tokio::test]
async fn login_works_if_only_calls_require_sign_in() {
    let server = server().start().await;
    let upstream = upstream::modern().tool("search").tool("write");
    let upstream = protect(&server, upstream);
    let upstream = upstream
        .open("server/discover")
        .open("tools/list")
        .start()
        .await;
    let home = proxy::home();
    let setup = Setup {
        server,
        upstream,
        home,
    };
    setup.sign_in().await;
    let repeated = setup.run("login linear").await;
    repeated.assert(0, "already signed in to `linear`; 2 tools; ");
}

#[tokio::test]
async fn denied_or_interrupted_login_can_be_repeated() {
    let setup = setup(server()).await;
    let (mut client, url) = setup.begin_login("login linear --no-browser").await;
    Browser::denying().open(&url).await;
    assert_eq!(client.wait().await.code(), Some(1));
    let stderr = client.stderr();
    assert!(
        stderr.contains("mcp-manifold: `linear`: the sign-in was denied"),
        "{stderr}"
    );
    assert!(
        stderr.ends_with("; sign in again to allow it\n"),
        "{stderr}"
    );

    // The response to the token request is lost, and with it the code.
    setup.server.lose_answer(Part::Token);
    let (mut client, url) = setup.begin_login("login linear --no-browser").await;
    Browser::consenting().open(&url).await;
    assert_eq!(client.wait().await.code(), Some(1));
    let stderr = client.stderr();
    assert!(stderr.contains("is unavailable"), "{stderr}");
    setup.assert_no_secret(&stderr);
    setup.sign_in().await;
}

#[tokio::test]
async fn unreachable_server_fails_the_login() {
    let program = proxy::new().upstream("down", "http://127.0.0.1:1/mcp");
    let output = CommandOutput::new(program.arg("login").arg("down").output().await);
    output.assert(1, "mcp-manifold: `down`: cannot connect to the server: ");
}

#[cfg(unix)]
#[tokio::test]
async fn interrupted_login_is_resumed_at_the_same_url() {
    let setup = setup(server()).await;
    let (mut client, url) = setup.begin_login("login linear --no-browser").await;
    client.signal("INT").await;
    assert_eq!(client.wait().await.code(), Some(130));
    assert!(
        client.stderr().ends_with(&format!("{PASTE_PROMPT}\n")),
        "{}",
        client.stderr()
    );

    let redirect = Browser::consenting().redirect(&url).await.unwrap();
    let (mut client, second_url) = setup.begin_login("login linear --no-browser").await;
    assert_eq!(url, second_url);
    Browser::consenting().deliver(&redirect).await;
    setup.wait_until_signed_in(&mut client).await;
    assert_eq!(setup.server.count(Part::Registration), 1);
}

#[tokio::test]
async fn command_signs_in_if_login_is_configured_as_manual() {
    let setup = setup(server()).await;
    let manual = json!({"oauth": {"login": "manual"}});
    let command = setup.command("login linear --no-browser");
    let mut client = command.extra("linear", manual).start().await;
    client.wait_for_stderr(PASTE_PROMPT).await;
    Browser::consenting()
        .open(&find_line(&client, "http"))
        .await;
    setup.wait_until_signed_in(&mut client).await;
}

#[tokio::test]
async fn command_requests_the_scopes_that_a_call_lacked() {
    // With manual login, and with a sign-in page of the proxy that no browser opens.
    for login in ["manual", "auto"] {
        let server = server().scopes("read write").start().await;
        let upstream = upstream::modern().tool("search").tool("write");
        let upstream = protect(&server, upstream).scopes("read");
        let setup = Setup {
            upstream: upstream.tool_scopes("write", "write").start().await,
            home: proxy::home(),
            server,
        };
        setup.sign_in().await;
        let extra = json!({"oauth": {"login": login}});
        let serving = setup.command("").extra("linear", extra);
        let mut serving = serving.start().await;
        serving.initialize().await;
        serving.wait_for_tools(&["search", "write"]).await;
        let failed_call = serving.call("write", json!({})).await;
        let message = failed_call["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("run `mcp-manifold login linear`"),
            "{message}"
        );

        let (mut client, url) = setup.begin_login("login linear --no-browser").await;
        let redirect = Browser::consenting().redirect(&url).await.unwrap();
        client.send_line(redirect.as_str()).await;
        setup.wait_until_signed_in(&mut client).await;
        let called = serving.call("write", json!({})).await;
        assert!(called["result"].is_object(), "{login}: {called}");
        let repeated = setup.run("login linear").await;
        repeated.assert(0, "already signed in to `linear`; 2 tools; ");
    }
}

#[tokio::test]
async fn logs_of_login_and_logout_contain_no_secret() {
    let setup = setup(server()).await;
    let command = setup
        .command("login linear --no-browser")
        .env("RUST_LOG", "trace");
    let mut client = command.start().await;
    client.wait_for_stderr(PASTE_PROMPT).await;
    let url = find_line(&client, "http");
    let redirect = Browser::consenting().redirect(&url).await.unwrap();
    client.send_line(redirect.as_str()).await;
    assert_eq!(client.wait().await.code(), Some(0), "{}", client.stderr());
    assert!(!setup.server.secrets().is_empty());
    setup.assert_no_secret(&client.stderr());
    let output = setup
        .command("logout linear")
        .env("RUST_LOG", "trace")
        .output()
        .await;
    let output = CommandOutput::new(output);
    output.assert(0, "signed out");
    setup.assert_no_secret(&output.stderr);
}
