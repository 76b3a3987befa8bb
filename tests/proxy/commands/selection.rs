//! Which upstream a command is about: by name, by url, or by being the only one.

use super::{Ended, setup};
use testkit::oauth::server;
use testkit::{Endpoint, proxy};

async fn run(program: proxy::Builder, line: &str) -> Ended {
    let program = line.split_whitespace().fold(program, proxy::Builder::arg);
    Ended::new(program.output().await)
}

fn three() -> proxy::Builder {
    let away = "http://127.0.0.1:1/mcp";
    let program = proxy::new().upstream("github", away);
    program.upstream("linear", away).upstream("docs", away)
}

#[tokio::test]
async fn unknown_name_lists_the_upstreams_most_similar_first() {
    for command in ["login", "logout", "status"] {
        let ended = run(three(), &format!("{command} linaer")).await;
        ended.assert(
            2,
            "mcp-manifold: no upstream is called `linaer`; there are `linear`, ",
        );
        assert_eq!(ended.stdout, "");
    }
    let ended = run(three(), "login").await;
    ended.assert(2, "mcp-manifold: which one? there are ");
}

#[tokio::test]
async fn url_option_replaces_the_configuration() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    let url = setup.upstream.url();
    let bare = || proxy::new().home(&setup.home).env("PROXY_UPSTREAMS", "");
    let ended = run(bare(), &format!("login linear --url {url}")).await;
    ended.assert(0, "already signed in to `linear`");
    let ended = run(bare(), &format!("status --name linear --url {url}")).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("linear  signed in"),
        "{}",
        ended.stdout
    );
    let ended = run(bare(), &format!("logout linear --url {url}")).await;
    ended.assert(0, "signed out of `linear`");
    let ended = run(bare(), &format!("status --offline --url {url}")).await;
    assert!(
        ended.stdout.contains("127.0.0.1  nothing stored"),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn missing_configuration_is_reported_with_the_remedy() {
    for command in ["login", "logout", "status"] {
        let bare = proxy::new().env("PROXY_UPSTREAMS", "");
        let ended = run(bare, &format!("{command} linear")).await;
        ended.assert(
            2,
            "mcp-manifold: no upstream is configured; set PROXY_UPSTREAMS",
        );
        ended.assert(2, "or name the server here, with `linear --url https://…`");
        let ended = run(
            three(),
            &format!("{command} linear --url http://mcp.example.com/mcp"),
        )
        .await;
        ended.assert(
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
