//! A plain client: valid requests that a test can change.

use serde_json::{Value, json};

use testkit::oauth::{self, Browser, Builder, Client, Protected, Server};
use testkit::{Endpoint, http, upstream, within};

/// The client that every [`Setup`] has registered, and its redirect URI.
pub(crate) const APP: &str = "app";
pub(crate) const CALLBACK: &str = "http://127.0.0.1/callback";

/// A verifier that is valid by RFC 7636.
pub(crate) const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

/// The parameters of a request.
#[derive(Clone)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Self(pairs.collect())
    }

    /// Sets or removes `name`.
    pub(crate) fn with<'a>(mut self, name: &str, value: impl Into<Option<&'a str>>) -> Self {
        self.0.retain(|(key, _)| key != name);
        let value = value.into();
        self.0
            .extend(value.map(|value| (name.into(), value.into())));
        self
    }

    /// Adds `name` once more.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    pub(crate) fn encoded(&self) -> String {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(&self.0).finish()
    }
}

/// The response of an endpoint.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The error code, or an empty string.
    pub(crate) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// A string of the body.
    pub(crate) fn text(&self, name: &str) -> &str {
        let text = self.body[name].as_str();
        text.unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }
}

/// An authorization server and an upstream behind it.
pub(crate) struct Setup {
    pub(crate) server: Server,
    pub(crate) upstream: Protected,
}

/// The public client of every setup.
pub(crate) fn app() -> Client {
    oauth::client(APP).redirect_uri(CALLBACK)
}

pub(crate) async fn setup(builder: Builder) -> Setup {
    let server = builder.client(app()).start().await;
    let upstream = oauth::protect(&server, upstream::modern().tool("search"));
    Setup {
        upstream: upstream.start().await,
        server,
    }
}

impl Setup {
    /// A valid authorization request for these scopes.
    pub(crate) fn request(&self, scopes: &str) -> Form {
        let form = Form::new(&[
            ("response_type", "code"),
            ("client_id", APP),
            ("redirect_uri", CALLBACK),
            ("state", "the-state"),
            ("code_challenge", &oauth::challenge(VERIFIER)),
            ("code_challenge_method", "S256"),
            ("resource", &self.upstream.url()),
        ]);
        form.with("scope", Some(scopes).filter(|s| !s.is_empty()))
    }

    pub(crate) fn url(&self, request: &Form) -> String {
        self.server
            .url_of(&format!("/authorize?{}", request.encoded()))
    }

    /// The parameters of the callback after an authorization request.
    pub(crate) async fn back(&self, request: &Form) -> Value {
        let redirect = Browser::consenting().redirect(&self.url(request)).await;
        query(&redirect.unwrap())
    }

    /// A valid code exchange.
    pub(crate) fn exchange(&self, code: &str) -> Form {
        Form::new(&[
            ("grant_type", "authorization_code"),
            ("client_id", APP),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("resource", &self.upstream.url()),
        ])
    }

    /// A valid refresh.
    pub(crate) fn refresh(&self, token: &str) -> Form {
        Form::new(&[
            ("grant_type", "refresh_token"),
            ("client_id", APP),
            ("refresh_token", token),
            ("resource", &self.upstream.url()),
        ])
    }

    pub(crate) async fn token(&self, form: &Form) -> Answer {
        post(&self.server.url_of("/token"), &[], form).await
    }

    /// Signs in for these scopes.
    pub(crate) async fn login(&self, scopes: &str) -> Answer {
        let back = self.back(&self.request(scopes)).await;
        let code = back["code"].as_str().unwrap();
        let answer = self.token(&self.exchange(code)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}

/// The query of a URL as an object.
pub(crate) fn query(url: &url::Url) -> Value {
    let pairs = url.query_pairs();
    let pairs = pairs.map(|(name, value)| (name.into_owned(), json!(value)));
    Value::Object(pairs.collect())
}

pub(crate) async fn post(url: &str, headers: &[(&str, &str)], form: &Form) -> Answer {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    send(url, &[&[kind], headers].concat(), form.encoded()).await
}

pub(crate) async fn send(url: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let mut request = http::client().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request).await
}

pub(crate) async fn get(url: &str) -> Answer {
    answer(http::client().get(url)).await
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = within("an answer", request.send()).await.unwrap();
    let status = response.status().as_u16();
    let body = within("a body", response.bytes()).await.unwrap();
    Answer {
        status,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}
