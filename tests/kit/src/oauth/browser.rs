//! A person with a browser, as a script: opens a page, answers it, and lets it lead where it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::redirect::Policy;
use url::Url;

use crate::within;

/// What the person does on a page that asks for consent.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Allow,
    Deny,
    Nothing,
}

type Alter = dyn Fn(&mut Url) + Send + Sync;

/// The person. All clones are one.
#[derive(Clone)]
pub struct Browser {
    client: reqwest::Client,
    answer: Answer,
    scopes: Option<String>,
    alter: Option<Arc<Alter>>,
    opened: Arc<AtomicUsize>,
}

/// The page on which the person ended.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its status.
    pub status: u16,
    /// What it says.
    pub text: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Browser {
    /// One who agrees to everything.
    pub fn consenting() -> Self {
        Self::new(Answer::Allow)
    }

    /// One who says no.
    pub fn denying() -> Self {
        Self::new(Answer::Deny)
    }

    /// One who opens the page and leaves it at that.
    pub fn silent() -> Self {
        Self::new(Answer::Nothing)
    }

    fn new(answer: Answer) -> Self {
        // No setting of this machine leads it through a proxy, and redirects are the script's.
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

    /// Agrees to these scopes at most.
    #[must_use]
    pub fn granting(mut self, scopes: &str) -> Self {
        self.scopes = Some(scopes.to_owned());
        self
    }

    /// Changes the URL of the callback before it goes there, as an attacker would.
    #[must_use]
    pub fn altering(mut self, alter: impl Fn(&mut Url) + Send + Sync + 'static) -> Self {
        self.alter = Some(Arc::new(alter));
        self
    }

    /// How many pages were opened.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Opens `url`, an authorization URL or the page for a device's code, answers what it asks
    /// and goes where that leads, up to the client's callback.
    pub async fn open(&self, url: &str) -> Page {
        match self.redirect(url).await {
            Ok(redirect) => self.deliver(&redirect).await,
            Err(page) => page,
        }
    }

    /// As [`Browser::open`], but gives the URL of the callback instead of going there, or the
    /// page if it leads to none.
    ///
    /// # Errors
    /// The page on which the person ended.
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

    /// Goes to the client's callback.
    pub async fn deliver(&self, redirect: &Url) -> Page {
        let response = within("the callback", self.client.get(redirect.clone()).send());
        Page::of(response.await.unwrap()).await
    }

    /// Where a response leads, or the page that it is.
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

/// The value of the field `name` of a form.
fn value_of<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    quoted(page, &format!("name={name} value=\""))
}

fn quoted<'a>(page: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(before)?;
    rest.split('"').next()
}
