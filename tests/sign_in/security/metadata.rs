//! Metadata and challenges: parsed exactly, and hostile URLs are never used.

use serde_json::{Value, json};

use crate::security::{Setup, call, setup, setup_with, sign_in, started};
use testkit::desktop::Desktop;
use testkit::oauth::{self, Browser, Challenge, Document, Part, Place, scopes};
use testkit::proxy;
use testkit::raw::Reply;
use testkit::upstream;

#[tokio::test]
async fn server_not_advertising_pkce_is_rejected_unless_assumed() {
    for methods in [Value::Null, json!([]), json!(["plain"])] {
        let silent = json!({"code_challenge_methods_supported": methods});
        let setup = setup(oauth::server().metadata_with(silent)).await;
        let client = setup.start(Value::Null).await;
        client.wait_for_stderr("does not advertise PKCE").await;
        assert!(
            !client.stderr().contains("/authorize"),
            "{}",
            client.stderr()
        );
        drop(client);

        let client = setup.signed_in(json!({"pkce": "assumed"})).await;
        let page = setup.authorization();
        assert_eq!(page.get("code_challenge_method"), Some("S256"));
        drop(client);
    }
}

/// URLs that a hostile server may send in any member (CVE-2025-6514).
const HOSTILE: [&str; 18] = [
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,x",
    "ms-settings:display",
    "a:$(calc.exe)?response_type=code",
    "-a",
    "http://127.0.0.1/$(calc)",
    "http://127.0.0.1/`calc`",
    "http://127.0.0.1/\"&calc&\"",
    "http://127.0.0.1/'&calc&'",
    "http://127.0.0.1/ --new-window",
    "http://127.0.0.1/\r\nx",
    "http://127.0.0.1/\u{1b}[2J",
    "http://user:password@127.0.0.1/authorize",
    "http://mcp.example.com/authorize",
    "ftp://127.0.0.1/authorize",
    "file://127.0.0.1/etc/passwd",
    "vscode://file/etc/passwd",
];

#[tokio::test]
async fn hostile_urls_are_never_opened_and_other_upstreams_work() {
    let members = [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
    ];
    let places = HOSTILE.iter().map(|address| (members[0], *address));
    let others = members[1..].iter().flat_map(|member| {
        let some = [HOSTILE[0], HOSTILE[1], HOSTILE[6], HOSTILE[11]];
        some.map(|address| (*member, address))
    });
    let good = setup(oauth::server()).await;
    let desktop = Desktop::start();
    let mut proxy = proxy::new().on(&desktop);
    let (mut names, mut servers) = (Vec::new(), Vec::new());
    for (member, address) in places.chain(others) {
        let server = oauth::server().metadata_with(json!({member: address}));
        let server = server.start().await;
        let hostile = upstream::modern().tool("hostile");
        let hostile = oauth::protect(&server, hostile).start().await;
        let name = format!("bad{}", names.len());
        proxy = proxy.upstream(&name, &hostile);
        names.push((name, member));
        servers.push((server, hostile));
    }
    let proxy = proxy.upstream("a", &good.upstream);
    let mut client = started(proxy).await;
    for (name, member) in &names {
        let find_line = |stderr: &str| {
            let (end, fault) = (format!(" name={name}"), format!("`{member}` is"));
            let mut lines = stderr.lines().filter(|line| line.ends_with(&end));
            lines.find(|line| line.contains(&fault)).map(str::to_owned)
        };
        let line = client
            .find_in_stderr(&format!("error of `{name}`"), find_line)
            .await;
        assert!(
            line.contains("report this to the server's operator"),
            "{line}"
        );
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let page = client.sign_in_page("a", 0).await;
    assert_eq!(desktop.page().await, page, "as one argument");
    Browser::consenting().open(&page).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
    for (server, hostile) in &servers {
        let requests = server.requests();
        let strange = requests
            .iter()
            .find(|request| !request.path.contains("/.well-known/"));
        assert!(strange.is_none(), "{strange:?}");
        assert!(hostile.refused().iter().all(|(_, token)| token.is_empty()));
    }
    assert_eq!(desktop.pages().await, [page]);
}

#[tokio::test]
async fn scopes_are_read_from_the_bearer_challenge_only() {
    let cases = [
        (
            r#"Bearer resource_metadata="{metadata}", error_description="need scope=admin now", scope="files:write""#,
            "files:write",
        ),
        (
            r#"Basic realm="scope=zzz", Bearer scope="ok", resource_metadata="{metadata}""#,
            "ok",
        ),
        (
            r#"Digest scope="zzz", BEARER realm="a \"scope=zzz\"", scope="ok files:write""#,
            "ok files:write",
        ),
    ];
    for (challenge, expected) in cases {
        let server = oauth::server().scopes("files:write ok admin zzz");
        let challenge = Challenge::Text(challenge.to_owned());
        let setup = setup_with(server, |it| it.challenge(challenge)).await;
        let mut client = setup.signed_in(Value::Null).await;
        call(&mut client).await;
        assert_eq!(setup.authorization().scopes(), Some(scopes(expected)));
    }
}

#[tokio::test]
async fn failing_metadata_document_leaves_the_others() {
    // The RFC 8414 document fails, the OpenID document works.
    let documents = [Document::OAuth, Document::OidcInserted];
    let server = oauth::server().documents(documents).intercept(|request| {
        let first = "/.well-known/oauth-authorization-server";
        (request.path == first).then(|| Reply::status(503))
    });
    let setup = setup(server).await;
    call(&mut setup.signed_in(Value::Null).await).await;
}

#[tokio::test]
async fn failing_resource_metadata_url_leaves_the_second() {
    let server = oauth::server().start().await;
    let in_trouble = upstream::modern().tool("search").intercept(|request| {
        let first = "/.well-known/oauth-protected-resource/mcp";
        (request.path == first).then(|| Reply::status(500))
    });
    let upstream = oauth::protect(&server, in_trouble)
        .place(Place::Root)
        .challenge(Challenge::WithoutMetadata);
    let setup = Setup {
        upstream: upstream.start().await,
        server,
        home: proxy::home(),
    };
    call(&mut setup.signed_in(Value::Null).await).await;
}

#[tokio::test]
async fn discovery_sends_no_get_to_the_mcp_url() {
    // A server whose GET opens an event stream that never sends anything.
    let server = oauth::server().start().await;
    let hanging = upstream::modern()
        .tool("search")
        .intercept(|request| (request.method == "GET" && request.path == "/mcp").then(Reply::hang));
    let upstream = oauth::protect(&server, hanging)
        .place(Place::Root)
        .challenge(Challenge::Missing);
    let setup = Setup {
        upstream: upstream.start().await,
        server,
        home: proxy::home(),
    };
    let client = setup.start(Value::Null).await;
    sign_in(&client).await;
    let requests = setup.upstream.raw.requests();
    let gets: Vec<_> = requests.iter().filter(|it| it.method == "GET").collect();
    assert!(
        gets.iter().all(|it| it.path.starts_with("/.well-known/")),
        "{gets:?}"
    );
    assert!(!gets.is_empty());
}

#[tokio::test]
async fn sign_in_works_without_a_challenge() {
    let missing = |it: oauth::Protection| it.challenge(Challenge::Missing);
    let setup = setup_with(oauth::server(), missing).await;
    call(&mut setup.signed_in(Value::Null).await).await;
}

#[tokio::test]
async fn server_protecting_only_calls_starts_sign_in_at_a_call() {
    let public = |it: oauth::Protection| it.open("server/discover").open("tools/list");
    let setup = setup_with(oauth::server(), public).await;
    let mut client = setup.start(Value::Null).await;
    client.wait_for_tools(&["search"]).await;
    assert_eq!(
        setup.server.requests().len(),
        0,
        "no request before the call"
    );

    let message = crate::security::failing_call(&mut client).await;
    let page = client.sign_in_page("a", 0).await;
    assert!(message.contains(&page), "{message}");
    assert!(message.contains("mcp-manifold login a"), "{message}");
    sign_in(&client).await;
    call(&mut client).await;
}

#[tokio::test]
async fn server_with_an_open_handshake_starts_sign_in_at_listing() {
    let server = oauth::server().start().await;
    let legacy = oauth::protect(&server, upstream::legacy().tool("search"));
    let public = legacy.open("initialize").open("notifications/initialized");
    let setup = Setup {
        upstream: public.start().await,
        server,
        home: proxy::home(),
    };
    call(&mut setup.signed_in(Value::Null).await).await;
}

#[tokio::test]
async fn metadata_for_another_host_is_rejected() {
    for resource in ["https://mcp.example.com/mcp", "http://127.0.0.1:1/mcp"] {
        let other = json!({"resource": resource});
        let setup = setup_with(oauth::server(), |it| it.document_with(other)).await;
        let client = setup.start(Value::Null).await;
        client.wait_for_stderr("the resource metadata is for").await;
        assert!(setup.server.requests().is_empty());
    }
}

#[tokio::test]
async fn sign_in_page_is_at_the_authorization_server() {
    let setup = setup(oauth::server().issuer_path("/tenant")).await;
    let client = setup.start(Value::Null).await;
    let page = client.sign_in_page("a", 0).await;
    assert!(
        page.starts_with(&setup.server.url_of("/authorize?")),
        "{page}"
    );
}

#[tokio::test]
async fn configured_authorization_server_of_two_is_used() {
    let first = oauth::server().start().await;
    let both = |server: &oauth::Server| json!([first.issuer(), server.issuer()]);
    let second = oauth::server().start().await;
    let document = json!({"authorization_servers": both(&second)});
    let upstream = oauth::protect(&second, upstream::modern().tool("search"));
    let setup = Setup {
        upstream: upstream.document_with(document).start().await,
        server: second,
        home: proxy::home(),
    };
    let pinned = json!({"authorization_server": setup.server.issuer()});
    call(&mut setup.signed_in(pinned).await).await;
    assert!(first.requests().is_empty());
    assert_eq!(setup.stored("tokens.json")["issuer"], setup.server.issuer());
}

#[tokio::test]
async fn start_with_stored_tokens_contacts_no_authorization_server() {
    let setup = setup(oauth::server()).await;
    drop(setup.signed_in(Value::Null).await);
    let before = setup.server.requests().len();
    let mut client = setup.start(Value::Null).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
    assert_eq!(setup.server.requests().len(), before);
    assert_eq!(setup.server.count(Part::Authorization), 1);
}
