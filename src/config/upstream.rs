//! A configured upstream, valid by construction.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::{Filter, OAuth, ServerUrl};

/// One remote server and how to treat it.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// What it is called in names, messages and logs.
    pub name: UpstreamName,
    /// Where it is.
    pub url: ServerUrl,
    /// How to speak to it.
    pub transport: TransportChoice,
    /// Which of its tools pass.
    pub tools: Filter,
    /// Which of its prompts pass.
    pub prompts: Filter,
    /// Which of its resources and resource templates pass, by URI or name.
    pub resources: Filter,
    /// Sent with every request to its origin; the values do not print.
    pub headers: HeaderMap,
    /// When its tools get a prefix.
    pub prefix: Prefix,
    /// How long a call may go without any sign of life from it, once it has begun to answer.
    pub timeout: Duration,
    /// How long it may take to begin to answer, from when a request was sent.
    pub first_byte_timeout: Duration,
    /// After how much silence of the one stream of HTTP+SSE it is pinged; `None` for never.
    pub keep_alive: Option<Duration>,
    /// How many calls run there at a time, if not as many as at the others.
    pub max_calls: Option<usize>,
    /// How to sign in to it; `None` when nobody is to sign in.
    pub oauth: Option<OAuth>,
}

impl Upstream {
    /// Whether a connection that was made by the other serves this one as well: they differ, if at all,
    /// in what the client sees of the server.
    #[must_use]
    pub fn can_share_connection(&self, other: &Self) -> bool {
        let as_seen = Self {
            tools: self.tools.clone(),
            prompts: self.prompts.clone(),
            resources: self.resources.clone(),
            prefix: self.prefix.clone(),
            ..other.clone()
        };
        *self == as_seen
    }
}

/// The name of an upstream: not empty, at most [`UpstreamName::MAX_CHARS`] characters,
/// no control characters. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpstreamName(Arc<str>);

impl UpstreamName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Takes a name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Err("is empty; give the upstream a name".to_owned());
        }
        if name.chars().any(char::is_control) {
            return Err(format!("{name:?} holds a control character; leave it out"));
        }
        if name.chars().count() > Self::MAX_CHARS {
            let max = Self::MAX_CHARS;
            return Err(format!("is longer than {max} characters; shorten it"));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of a variable's name that stands for this upstream, as in
    /// `PROXY_<NAME>_CLIENT_ID`: upper case, and `_` for all but ASCII letters and digits.
    #[must_use]
    pub fn variable(&self) -> String {
        let part = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        };
        self.0.chars().map(part).collect()
    }
}

impl fmt::Display for UpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which transport to use, and which to try when it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportChoice {
    /// Streamable HTTP, then HTTP+SSE.
    #[default]
    HttpFirst,
    /// Streamable HTTP alone.
    Http,
    /// HTTP+SSE, then Streamable HTTP.
    SseFirst,
    /// HTTP+SSE alone.
    Sse,
}

impl TransportChoice {
    /// Every word for a transport, ours first and then those of other clients.
    const WORDS: [(&str, Self); 11] = [
        ("http-first", Self::HttpFirst),
        ("http", Self::Http),
        ("sse", Self::Sse),
        ("sse-first", Self::SseFirst),
        ("http-only", Self::Http),
        ("sse-only", Self::Sse),
        ("streamable-http", Self::Http),
        ("streamablehttp", Self::Http),
        ("streamable_http", Self::Http),
        ("http+sse", Self::Sse),
        ("remote", Self::HttpFirst),
    ];

    /// Reads a word, in upper or lower case.
    ///
    /// # Errors
    /// What was expected instead.
    pub(super) fn parse(word: &str) -> Result<Self, String> {
        let lower = word.to_ascii_lowercase();
        let known = Self::WORDS.iter().find(|(known, _)| *known == lower);
        known.map(|(_, choice)| *choice).ok_or_else(|| {
            format!(
                "`{word}` is not a transport; use `http-first`, `http`, `sse`, `sse-first`, \
                 `http-only` or `sse-only`"
            )
        })
    }
}

/// When the tools of an upstream get a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Prefix {
    /// When an earlier upstream has a tool of the same name.
    #[default]
    OnCollision,
    /// Always, and this one.
    Always(String),
    /// Never: of two tools with the same name, the later one is left out.
    Never,
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment};

    fn read(more: &str) -> super::Upstream {
        let text = format!(r#"[{{"name":"a","url":"https://a.example/mcp"{more}}}]"#);
        let environment: Environment = [("PROXY_UPSTREAMS".to_owned(), text)].into_iter().collect();
        let config = Config::from_environment(&environment).unwrap();
        assert!(config.problems.is_empty(), "{:?}", config.problems);
        config.upstreams.into_iter().next().unwrap()
    }

    #[test]
    fn only_what_the_client_sees_of_a_server_needs_no_new_connection() {
        let plain = read("");
        assert!(plain == read("") && plain.can_share_connection(&read("")));
        for (more, connects) in [
            (r#","include_tools":["x"]"#, true),
            (r#","ignore_tools":["x"]"#, true),
            (r#","ignore_prompts":["x"]"#, true),
            (r#","include_resources":["x"]"#, true),
            (r#","prefix":"x""#, true),
            (r#","transport":"sse""#, false),
            (r#","timeout":"1s""#, false),
            (r#","headers":{"x":"y"}"#, false),
            (r#","oauth":"off""#, false),
            (r#","oauth":{"scopes":["x"]}"#, false),
            (r#","oauth":{"client_id":"x","client_secret":"y"}"#, false),
        ] {
            let other = read(more);
            assert!(plain != other && other == read(more), "{more}");
            assert_eq!(plain.can_share_connection(&other), connects, "{more}");
        }
    }
}
