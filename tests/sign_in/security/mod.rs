//! Security of the sign-in, with the whole binary: each known fault of other clients is a test.

mod client_metadata;
mod client_registration;
mod dpop;
mod issuers;
#[cfg(unix)]
mod leak_check;
mod login_files;
mod machine_grants;
mod metadata;
mod origins;
mod renewal;
mod request_parameters;
mod secrets;
mod step_up;
mod token_responses;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::oauth::{self, Browser, Page, Params, Part, Protected, Server};
use testkit::proxy::{self, Client};
use testkit::upstream;
use url::Url;

/// An authorization server, and an upstream `a` behind it with the tool `search`.
struct Setup {
    server: Server,
    upstream: Protected,
    home: Arc<TempDir>,
}

async fn setup(server: oauth::Builder) -> Setup {
    setup_with(server, |protection| protection).await
}

async fn setup_with(
    server: oauth::Builder,
    protect: impl FnOnce(oauth::Protection) -> oauth::Protection,
) -> Setup {
    let server = server.start().await;
    let tools = upstream::modern().tool("search");
    let upstream = protect(oauth::protect(&server, tools)).start().await;
    Setup {
        server,
        upstream,
        home: proxy::home(),
    }
}

impl Setup {
    /// A proxy with the upstream, the home directory of the setup, and these keys in `oauth`.
    fn proxy(&self, oauth: Value) -> proxy::Builder {
        let proxy = proxy::new().upstream("a", &self.upstream).home(&self.home);
        match oauth {
            Value::Null => proxy,
            oauth => proxy.extra("a", json!({"oauth": oauth})),
        }
    }

    /// Starts such a proxy and completes the handshake of its client.
    async fn start(&self, oauth: Value) -> Client {
        started(self.proxy(oauth)).await
    }

    /// Starts such a proxy, signs in, and waits for the tools.
    async fn signed_in(&self, oauth: Value) -> Client {
        let mut client = self.start(oauth).await;
        sign_in(&client).await;
        client.wait_for_tools(&["search"]).await;
        client
    }

    /// The parameters of the last sign-in page.
    fn authorization(&self) -> Params {
        let requests = self.server.requests_for(Part::Authorization);
        Params::of_query(requests.last().expect("no page was opened"))
    }

    /// The path of a login file of `a`.
    fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(".mcp-manifold/oauth/a").join(file)
    }

    /// The content of a login file of `a`.
    fn stored(&self, file: &str) -> Value {
        let text = std::fs::read(self.path(file));
        let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
        serde_json::from_slice(&text).unwrap()
    }

    /// Makes the stored access token an hour older, and the server reject it.
    fn expire(&self) {
        self.server.expire_access_tokens();
        self.age();
    }

    /// Makes the stored access token an hour older.
    fn age(&self) {
        self.change_stored("tokens.json", &["issued_at", "expires_at"], |at| {
            json!(at.as_u64().unwrap() - 3600)
        });
    }

    /// Changes members of a login file. The proxy reads the file when its token is rejected.
    fn change_stored(&self, file: &str, members: &[&str], change: impl Fn(&Value) -> Value) {
        let mut stored = self.stored(file);
        for member in members {
            let value = change(&stored[member]);
            stored[member] = value;
        }
        std::fs::write(self.path(file), stored.to_string()).unwrap();
    }
}

async fn started(proxy: proxy::Builder) -> Client {
    let mut client = proxy.start().await;
    client.initialize().await;
    client
}

/// Signs in to `a` with consent.
async fn sign_in(client: &Client) -> Page {
    sign_in_by(client, &Browser::consenting()).await
}

/// Signs in to `a` with this browser. Returns the final page.
async fn sign_in_by(client: &Client, browser: &Browser) -> Page {
    browser.open(&client.sign_in_page("a", 0).await).await
}

/// Changes parameters of the callback; `None` removes one.
fn with_params(url: &mut Url, changes: &[(&str, Option<&str>)]) {
    let is_kept = |name: &str| changes.iter().all(|(changed, _)| *changed != name);
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let pairs = pairs.iter().filter(|(name, _)| is_kept(name));
    let kept: Vec<_> = pairs.cloned().collect();
    let added = changes
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .extend_pairs(added);
}

/// Calls `search` and panics unless the response is a result.
async fn call(client: &mut Client) {
    let answer = client.call("search", json!({})).await;
    assert!(
        answer["result"].is_object(),
        "{answer}\n{}",
        client.stderr()
    );
}

/// Calls `search`, which must fail. Returns the error message.
async fn failing_call(client: &mut Client) -> String {
    let answer = client.call("search", json!({})).await;
    let message = answer["error"]["message"].as_str();
    message.unwrap_or_else(|| panic!("{answer}")).to_owned()
}
