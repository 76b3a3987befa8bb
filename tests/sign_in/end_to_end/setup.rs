//! The setup of most tests: one authorization server, one upstream, and a home directory.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use testkit::desktop::Desktop;
use testkit::json::text_of;
use testkit::login_files::LoginFiles;
use testkit::oauth::{self, Browser, Part, Protected, Server, protect};
use testkit::proxy::{self, Client};
use testkit::raw::Request;
use testkit::upstream;

/// A server, an upstream `a` with the tool `search` behind it, a desktop, and a home directory.
pub(crate) struct Setup {
    pub(crate) server: Server,
    pub(crate) upstream: Protected,
    pub(crate) desktop: Desktop,
    pub(crate) home: Arc<TempDir>,
}

/// The default server and a modern upstream.
pub(crate) async fn default_setup() -> Setup {
    setup_with(oauth::server(), upstream::modern()).await
}

/// `server` and `upstream`, with the tool `search`.
pub(crate) async fn setup_with(server: oauth::Builder, upstream: upstream::Builder) -> Setup {
    let server = server.start().await;
    let upstream = protect(&server, upstream.tool("search")).start().await;
    Setup::new(server, upstream)
}

impl Setup {
    pub(crate) fn new(server: Server, upstream: Protected) -> Self {
        let (desktop, home) = (Desktop::start(), proxy::home());
        Self {
            server,
            upstream,
            desktop,
            home,
        }
    }

    /// A proxy with this home directory and without a desktop. The cache is off: a proxy that lists
    /// tools is connected.
    pub(crate) fn proxy(&self) -> proxy::Builder {
        let proxy = proxy::new().upstream("a", &self.upstream).home(&self.home);
        proxy.env("PROXY_REMEMBER", "off")
    }

    /// Starts a client on the desktop and completes its handshake.
    pub(crate) async fn start(&self) -> Client {
        started(self.proxy().on(&self.desktop)).await
    }

    /// Starts a client on the desktop and waits until its upstream is connected.
    pub(crate) async fn ready(&self) -> Client {
        let mut client = self.start().await;
        client.wait_for_tools(&["search"]).await;
        client
    }

    /// Signs in, exits, and makes the login an hour old.
    pub(crate) async fn sign_in(&self) {
        self.sign_in_as(Browser::consenting()).await;
    }

    /// Signs in with this browser, exits, and makes the login an hour old.
    pub(crate) async fn sign_in_as(&self, user: Browser) {
        let mut client = self.start().await;
        let page = user.open(&self.desktop.page().await).await;
        assert_eq!(page.status, 200, "{}", page.text);
        client.wait_for_tools(&["search"]).await;
        assert!(client.close().await.success());
        self.files().age();
    }

    /// A connected client whose login is an hour old.
    pub(crate) async fn signed_in(&self) -> Client {
        self.sign_in().await;
        self.ready().await
    }

    pub(crate) fn files(&self) -> LoginFiles {
        LoginFiles::new(self.home.path(), "a")
    }

    /// The number of refresh requests.
    pub(crate) fn refreshes(&self) -> usize {
        self.server.grants("refresh_token").len()
    }

    /// The number of pages that were opened.
    pub(crate) async fn pages(&self) -> usize {
        self.desktop.pages().await.len()
    }

    /// The number of requests to the metadata, registration and authorization endpoints.
    pub(crate) fn login_requests(&self) -> [usize; 3] {
        [Part::Metadata, Part::Registration, Part::Authorization]
            .map(|part| self.server.count(part))
    }

    /// Panics if the server rejected any request.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.server.refusals(), []);
        assert_eq!((self.server.reuses(), self.server.revoked()), (0, 0));
    }
}

/// Starts a client and completes its handshake.
pub(crate) async fn started(builder: proxy::Builder) -> Client {
    let mut client = builder.start().await;
    client.initialize().await;
    client
}

/// Calls `search` and expects its answer.
pub(crate) async fn search(client: &mut Client) {
    search_for(client, "x").await;
}

/// Calls `search` for `text` and expects its answer.
pub(crate) async fn search_for(client: &mut Client, text: &str) {
    let answer = client.call("search", json!({"q": text})).await;
    assert_eq!(text_of(&answer), format!(r#"search {{"q":"{text}"}}"#));
}

/// The message and the `data` of an error response.
pub(crate) fn error_of(answer: &Value) -> (String, Value) {
    let error = &answer["error"];
    let text = error["message"].as_str();
    let text = text.unwrap_or_else(|| panic!("no error in {answer}"));
    (text.to_owned(), error["data"].clone())
}

/// The distinct tokens of these requests, in order; an empty string stands for no token.
pub(crate) fn tokens(requests: &[Request]) -> Vec<String> {
    let mut tokens = Vec::<String>::new();
    for request in requests {
        let header = request.header("authorization").unwrap_or_default();
        let token = header.trim_start_matches("Bearer ").to_owned();
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    tokens
}
