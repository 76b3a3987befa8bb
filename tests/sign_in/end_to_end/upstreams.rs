//! Several upstreams behind one authorization server.

use std::collections::BTreeSet;

use serde_json::json;

use crate::end_to_end::setup::{search, started, tokens};
use testkit::desktop::Desktop;
use testkit::json::text_of;
use testkit::login_files::LoginFiles;
use testkit::oauth::{self, Browser, protect};
use testkit::proxy;
use testkit::upstream;

#[tokio::test]
async fn token_is_sent_only_to_the_upstream_it_was_issued_for() {
    let server = oauth::server().start().await;
    let a = protect(&server, upstream::modern().tool("search"))
        .start()
        .await;
    let b = protect(&server, upstream::legacy().tool("find"))
        .start()
        .await;
    let c = protect(&server, upstream::http_sse().tool("get"))
        .start()
        .await;
    // An upstream without sign-in, which must not receive a token.
    let open = upstream::modern().tool("open").start().await;
    let (home, desktop) = (proxy::home(), Desktop::start());
    let all = || {
        let builder = proxy::new().home(&home).on(&desktop);
        let builder = builder.upstream("a", &a).upstream("b", &b);
        started(builder.upstream("c", &c).upstream("open", &open))
    };
    let names = ["search", "find", "get", "open"];
    let mut user = desktop.used_by(Browser::consenting());
    let mut client = all().await;
    client.wait_for_tools(&names).await;
    user.pages(3).await;
    for upstream in ["a", "b", "c"] {
        LoginFiles::new(home.path(), upstream).age();
    }
    server.expire_access_tokens();
    for name in names {
        text_of(&client.call(name, json!({})).await);
    }
    client.close().await;
    let mut client = all().await;
    client.wait_for_tools(&names).await;
    search(&mut client).await;
    assert_eq!(desktop.pages().await.len(), 3);
    assert_eq!(tokens(&open.raw.requests()), [""]);
    let mut seen = BTreeSet::new();
    for upstream in [&a, &b, &c] {
        let mut tokens = tokens(&upstream.raw.requests());
        tokens.retain(|token| !token.is_empty());
        assert_eq!(tokens.len(), 2, "one from the login, one from the renewal");
        for token in tokens {
            assert!(seen.insert(token), "the token was sent to another upstream");
        }
    }
    assert_eq!((server.reuses(), server.refusals()), (0, vec![]));
}
