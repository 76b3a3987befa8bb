//! The upstream of a command is selected by name, by URL, or as the only one.

use super::{CommandOutput, setup};
use testkit::oauth::server;
use testkit::{Endpoint, proxy};

async fn run(program: proxy::Builder, line: &str) -> CommandOutput {
    let program = line.split_whitespace().fold(program, proxy::Builder::arg);
    CommandOutput::new(program.output().await)
}

fn three_upstreams() -> proxy::Builder {
    let url = "http://127.0.0.1:1/mcp";
    let program = proxy::new().upstream("github", url);
    program.upstream("linear", url).upstream("docs", url)
}

#[tokio::test]
async fn unknown_name_lists_the_upstreams_most_similar_first() {
    for command in ["login", "logout", "status"] {
        let output = run(three_upstreams(), &format!("{command} linaer")).await;
        output.assert(
            2,
            "mcp-manifold: no upstream is called `linaer`; there are `linear`, ",
        );
        assert_eq!(output.stdout, "");
    }
    let output = run(three_upstreams(), "login").await;
    output.assert(2, "mcp-manifold: which one? there are ");
}

#[tokio::test]
async fn url_option_replaces_the_configuration() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    let url = setup.upstream.url();
    let without_configuration = || proxy::new().home(&setup.home).env("PROXY_UPSTREAMS", "");
    let output = run(
        without_configuration(),
        &format!("login linear --url {url}"),
    )
    .await;
    output.assert(0, "already signed in to `linear`");
    let output = run(
        without_configuration(),
        &format!("status --name linear --url {url}"),
    )
    .await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(
        output.stdout.contains("linear  signed in"),
        "{}",
        output.stdout
    );
    let output = run(
        without_configuration(),
        &format!("logout linear --url {url}"),
    )
    .await;
    output.assert(0, "signed out of `linear`");
    let output = run(
        without_configuration(),
        &format!("status --offline --url {url}"),
    )
    .await;
    assert!(
        output.stdout.contains("127.0.0.1  nothing stored"),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn missing_configuration_is_reported_with_the_remedy() {
    for command in ["login", "logout", "status"] {
        let without_configuration = proxy::new().env("PROXY_UPSTREAMS", "");
        let output = run(without_configuration, &format!("{command} linear")).await;
        output.assert(
            2,
            "mcp-manifold: no upstream is configured; set PROXY_UPSTREAMS",
        );
        output.assert(2, "or name the server here, with `linear --url https://…`");
        let output = run(
            three_upstreams(),
            &format!("{command} linear --url http://mcp.example.com/mcp"),
        )
        .await;
        output.assert(
            2,
            "--url: `http://mcp.example.com/mcp` would send tokens in the clear",
        );
    }
}

#[tokio::test]
async fn only_upstream_needs_no_name() {
    let setup = setup(server()).await;
    setup
        .run("logout")
        .await
        .assert(0, "nothing is stored for `linear`");
}
