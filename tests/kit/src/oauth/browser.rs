//! A scripted user with a browser: opens a page, answers it, and follows redirects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::redirect::Policy;
use url::Url;

use crate::within;

/// The user's action on a consent page.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Allow,
    Deny,
    Nothing,
}

type Alter = dyn Fn(&mut Url) + Send + Sync;

/// The user. Clones share their state.
#[derive(Clone)]
pub struct Browser {
    client: reqwest::Client,
    answer: Answer,
    scopes: Option<String>,
    alter: Option<Arc<Alter>>,
    opened: Arc<AtomicUsize>,
}

/// The page on which the browser ended.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The text.
    pub text: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Browser {
    /// Returns a user who agrees to everything.
    pub fn consenting() -> Self {
        Self::new(Answer::Allow)
    }

    /// Returns a user who denies the consent.
    pub fn denying() -> Self {
        Self::new(Answer::Deny)
    }

    /// Returns a user who opens the page and does nothing.
    pub fn silent() -> Self {
        Self::new(Answer::Nothing)
    }

    fn new(answer: Answer) -> Self {
        // Ignores the proxy settings of this machine; the script follows redirects.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none());
        Self {
            client: client.build().unwrap(),
            answer,
            scopes: None,
            alter: None,
            opened: Arc::default(),
        }
    }

    /// Agrees to at most these scopes.
    #[must_use]
    pub fn granting(mut self, scopes: &str) -> Self {
        self.scopes = Some(scopes.to_owned());
        self
    }

    /// Changes the URL of the callback before opening it, like an attacker.
    #[must_use]
    pub fn altering(mut self, alter: impl Fn(&mut Url) + Send + Sync + 'static) -> Self {
        self.alter = Some(Arc::new(alter));
        self
    }

    /// Returns the number of opened pages.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Opens `url`, answers the page and follows redirects, including the client's callback.
    ///
    /// `url` is an authorization URL or the page for a device code.
    pub async fn open(&self, url: &str) -> Page {
        match self.redirect(url).await {
            Ok(redirect) => self.deliver(&redirect).await,
            Err(page) => page,
        }
    }

    /// Opens a page like [`Browser::open`], but returns the URL of the callback without opening it.
    ///
    /// # Errors
    /// The page on which the browser ended, if it is not redirected to a callback.
    pub async fn redirect(&self, url: &str) -> Result<Url, Page> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let url = Url::parse(url).unwrap();
        let response = within("a page", self.client.get(url.clone()).send());
        let response = match self.next(response.await.unwrap(), &url).await {
            Err(page) => page,
            redirect => return redirect,
        };
        let ticket = value_of(&response.text, "ticket").filter(|_| self.answer != Answer::Nothing);
        let Some(ticket) = ticket else {
            return Err(response);
        };
        let asked = value_of(&response.text, "scope").unwrap_or_default();
        let scopes = self.scopes.as_deref().unwrap_or(asked);
        let answer = match self.answer {
            Answer::Allow => "allow",
            _ => "deny",
        };
        let action = quoted(&response.text, "action=\"").unwrap();
        let action = url.join(action).unwrap();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("ticket", ticket), ("scope", scopes), ("answer", answer)])
            .finish();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let post = self.client.post(action.clone()).header(kind.0, kind.1);
        let response = within("a page", post.body(form).send()).await.unwrap();
        self.next(response, &action).await
    }

    /// Opens the client's callback.
    pub async fn deliver(&self, redirect: &Url) -> Page {
        let response = within("the callback", self.client.get(redirect.clone()).send());
        Page::of(response.await.unwrap()).await
    }

    /// Returns the redirect of a response, or its page.
    async fn next(&self, response: reqwest::Response, from: &Url) -> Result<Url, Page> {
        let Some(location) = response.headers().get("location") else {
            return Err(Page::of(response).await);
        };
        let mut location = from.join(location.to_str().unwrap()).unwrap();
        if let Some(alter) = &self.alter {
            alter(&mut location);
        }
        Ok(location)
    }
}

impl Page {
    async fn of(response: reqwest::Response) -> Self {
        let headers = response.headers().iter();
        let headers = headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned()));
        Self {
            status: response.status().as_u16(),
            headers: headers.collect(),
            text: within("a page", response.text()).await.unwrap(),
        }
    }
}

/// Returns the value of the form field `name`.
fn value_of<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    quoted(page, &format!("name={name} value=\""))
}

fn quoted<'a>(page: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(before)?;
    rest.split('"').next()
}
