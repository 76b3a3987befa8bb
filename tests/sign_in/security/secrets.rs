//! No secret appears in trace logs, errors, browser arguments, or files that other users can read.
#![cfg(unix)]

use std::time::Duration;

use serde_json::{Value, json};

use crate::security::leak_check::{Seen, holders};
use crate::security::{Setup, call, failing_call, setup, setup_with, started};
use testkit::Endpoint;
use testkit::desktop::Desktop;
use testkit::oauth::{self, AuthMethod, Browser, Dpop, Key, Part};
use testkit::proxy;
use testkit::upstream;

/// A proxy with all logs on.
fn with_all_logs(proxy: proxy::Builder) -> proxy::Builder {
    proxy.env("DEBUG", "1").env("RUST_LOG", "trace")
}

/// The secrets in the files of this login.
fn stored_secrets(setup: &Setup) -> Vec<String> {
    let mut stored_secrets = Vec::new();
    for (file, members) in [
        (
            "tokens.json",
            &["access_token", "refresh_token", "dpop_key"][..],
        ),
        (
            "client-info.json",
            &["client_secret", "registration_access_token"],
        ),
    ] {
        let path = setup.path(file);
        if path.exists() {
            let stored = setup.stored(file);
            let values = members.iter().filter_map(|member| stored[member].as_str());
            stored_secrets.extend(values.map(str::to_owned));
        }
    }
    stored_secrets
}

/// The PKCE verifier of the pending login.
fn verifier(setup: &Setup) -> String {
    let verifier = setup.stored("login.json")["pending"]["verifier"].clone();
    verifier.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn complete_login_lifecycle_shows_no_secret() {
    for method in [AuthMethod::Basic, AuthMethod::Post] {
        let server = oauth::server().scopes("read write").registers_as(method);
        let setup = setup_with(server, |it| {
            it.scopes("read").tool_scopes("search", "write")
        })
        .await;
        let desktop = Desktop::start();
        let keys = json!({"headers": {"X-Api-Key": "header-secret-1"}});
        let proxy = || with_all_logs(setup.proxy(Value::Null).extra("a", keys.clone()));
        let mut secrets = vec!["header-secret-1".to_owned()];
        let mut seen = Seen::default();
        let browser = Browser::consenting();

        // A sign-in through the browser, then a step-up.
        let mut client = started(proxy().on(&desktop)).await;
        let page = client.sign_in_page("a", 0).await;
        secrets.push(verifier(&setup));
        seen.add("the page at the end", browser.open(&page).await.text);
        client.wait_for_tools(&["search"]).await;
        let asking = client
            .send_request("tools/call", json!({"name": "search"}))
            .await;
        let page = client.sign_in_page("a", 1).await;
        secrets.push(verifier(&setup));
        browser.open(&page).await;
        let answer = client.response(asking).await;
        assert!(answer["result"].is_object(), "{answer}");

        // A refresh, a failing refresh, and a rejected refresh.
        setup.expire();
        call(&mut client).await;
        secrets.extend(stored_secrets(&setup));
        setup.expire();
        setup.server.fail(Part::Token, 500);
        failing_call(&mut client).await;
        setup.server.recover(Part::Token);
        seen.add_client(client).await;
        setup.server.revoke_all();
        setup.expire();
        let mut client = started(proxy()).await;
        let page = client.sign_in_page("a", 0).await;
        secrets.push(verifier(&setup));
        seen.add("an error", failing_call(&mut client).await);

        // A rejected callback, then a denied sign-in.
        let wrong = browser.clone().altering(|url| {
            crate::security::with_params(url, &[("iss", Some("https://evil.example"))]);
        });
        seen.add("the page at the end", wrong.open(&page).await.text);
        client.wait_for_stderr("the sign-in failed").await;
        seen.add("an error", failing_call(&mut client).await);
        seen.add_client(client).await;
        let mut client = started(proxy()).await;
        let page = client.sign_in_page("a", 0).await;
        Browser::denying().open(&page).await;
        client.wait_for_stderr("the sign-in was denied").await;
        seen.add("an error", failing_call(&mut client).await);
        seen.add_client(client).await;
        let opened = desktop.pages().await;
        assert_eq!(opened.len(), 2);
        for arguments in opened {
            seen.add("the browser's arguments", arguments);
        }
        secrets.extend(setup.server.secrets());
        secrets.extend(stored_secrets(&setup));
        seen.assert_free_of(&secrets, setup.home.path());
    }
}

/// Runs a login without a user, lets its token expire, and searches all output for `secrets`.
async fn check_no_secret_is_shown(setup: &Setup, proxy: proxy::Builder, mut secrets: Vec<String>) {
    let mut seen = Seen::default();
    let mut client = started(with_all_logs(proxy)).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
    setup.expire();
    setup.server.fail(Part::Token, 503);
    seen.add("an error", failing_call(&mut client).await);
    setup.server.recover(Part::Token);
    client.call("search", json!({})).await;
    seen.add_client(client).await;
    secrets.extend(setup.server.secrets());
    secrets.extend(stored_secrets(setup));
    seen.assert_free_of(&secrets, setup.home.path());
}

#[tokio::test]
async fn client_credentials_grant_shows_no_secret() {
    let known = oauth::client("nightly").secret_basic("configured-secret");
    let bound = setup(
        oauth::server()
            .client(known)
            .dpop(Dpop::Required)
            .dpop_nonces(),
    )
    .await;
    let proxy = bound.proxy(json!({"grant": "client_credentials"}));
    let proxy = proxy.env("PROXY_A_CLIENT_ID", "nightly");
    let proxy = proxy.env("PROXY_A_CLIENT_SECRET", "configured-secret");
    check_no_secret_is_shown(&bound, proxy, vec!["configured-secret".to_owned()]).await;

    let key = Key::es256();
    let known = oauth::client("nightly").private_key(&key);
    let signing = setup(oauth::server().client(known)).await;
    let pem = key.private_pem();
    let proxy = signing.proxy(json!({
        "grant": "client_credentials", "client_id": "nightly",
        "private_key_pem": pem, "signing_algorithm": key.algorithm,
    }));
    let lines = pem.lines().filter(|line| !line.starts_with("---"));
    check_no_secret_is_shown(&signing, proxy, lines.map(str::to_owned).collect()).await;
}

#[tokio::test]
async fn assertion_grants_show_no_secret() {
    let (key, issuer) = (Key::es256(), "https://workloads.example");
    let server = oauth::server().client(oauth::client("workload"));
    let asserting = setup(server.trusts(issuer, &key)).await;
    let assertion = key.sign(&asserting.server.claims(issuer, &json!({})));
    let keys = json!({"grant": "jwt_bearer", "client_id": "workload", "assertion": assertion});
    check_no_secret_is_shown(&asserting, asserting.proxy(keys), vec![assertion]).await;

    let at_home = oauth::client("at-home").secret_basic("home-secret");
    let provider = oauth::server().client(at_home).provides(&key, "at-server");
    let provider = provider.start().await;
    let there = oauth::client("at-server").secret_basic("server-secret");
    let server = oauth::server()
        .client(there)
        .trusts(&provider.issuer(), &key);
    let vouched = setup(server).await;
    let keys = json!({
        "grant": "enterprise", "client_id": "at-server", "client_secret": "server-secret",
        "idp_client_id": "at-home", "idp_client_secret": "home-secret",
        "idp_id_token": provider.id_token("at-home"),
        "idp_token_endpoint": provider.url_of("/token"),
    });
    check_no_secret_is_shown(&vouched, vouched.proxy(keys), provider.secrets()).await;
}

#[tokio::test]
async fn device_grant_shows_no_secret() {
    let server = oauth::server().device_grant(Duration::from_secs(1));
    let setup = setup(server).await;
    let mut seen = Seen::default();
    let client = started(with_all_logs(setup.proxy(json!({"grant": "device"})))).await;
    Browser::consenting()
        .open(&client.sign_in_page("a", 0).await)
        .await;
    client.wait_for_stderr("signed in").await;
    seen.add_client(client).await;
    seen.assert_free_of(&setup.server.secrets(), setup.home.path());
}

#[tokio::test]
async fn token_repeated_by_a_server_is_masked() {
    let server = oauth::server().start().await;
    let repeating = upstream::modern().tool("search").intercept(|request| {
        let token = request.header("authorization")?.to_owned();
        let reply = testkit::raw::Reply::status(500);
        let reply = reply.header("content-type", "text/plain");
        request
            .is("tools/call")
            .then(|| reply.body(format!("what is {token}?")))
    });
    let setup = Setup {
        upstream: oauth::protect(&server, repeating).start().await,
        server,
        home: proxy::home(),
    };
    let mut seen = Seen::default();
    let mut client = started(with_all_logs(setup.proxy(Value::Null))).await;
    crate::security::sign_in(&client).await;
    client.wait_for_tools(&["search"]).await;
    let message = failing_call(&mut client).await;
    assert!(message.contains("what is"), "{message}");
    seen.add("an error", message);
    seen.add_client(client).await;
    seen.assert_free_of(&setup.server.secrets(), setup.home.path());
    assert!(!setup.upstream.url().contains("access-"));
}

#[tokio::test]
async fn commands_show_no_secret_and_logout_removes_all() {
    let setup = setup(oauth::server().registers_as(AuthMethod::Basic)).await;
    drop(setup.signed_in(Value::Null).await);
    let mut secrets = stored_secrets(&setup);
    let mut seen = Seen::default();
    for command in [&["status"][..], &["status", "--json"], &["logout", "a"]] {
        let proxy = with_all_logs(setup.proxy(Value::Null));
        let proxy = command.iter().fold(proxy, |proxy, word| proxy.arg(word));
        let output = proxy.output().await;
        assert!(output.status.success(), "{command:?}: {output:?}");
        for bytes in [output.stdout, output.stderr] {
            seen.add(&command.join(" "), String::from_utf8(bytes).unwrap());
        }
        if command[0] == "status" {
            secrets.extend(setup.server.secrets());
            seen.assert_free_of(&secrets, setup.home.path());
        }
    }
    secrets.extend(setup.server.secrets());
    assert_eq!(seen.leak(&secrets), None);
    assert_eq!(holders(setup.home.path(), &secrets), 0);
    assert_eq!(setup.server.revoked(), 1);
}
