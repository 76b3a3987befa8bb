//! A configured upstream, with validated values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::{Filter, OAuth, ServerUrl};

/// The configuration of a remote server.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// The name in messages, logs and prefixes.
    pub name: UpstreamName,
    /// The url.
    pub url: ServerUrl,
    /// The transport, and its fallback.
    pub transport: TransportChoice,
    /// The filter of tools.
    pub tools: Filter,
    /// The filter of prompts.
    pub prompts: Filter,
    /// The filter of resources and resource templates, by URI or name.
    pub resources: Filter,
    /// Headers for every request to the url's origin. Their values are not printed.
    pub headers: HeaderMap,
    /// When its tools get a prefix.
    pub prefix: Prefix,
    /// The idle timeout of a response, after its first byte.
    pub timeout: Duration,
    /// The timeout from sending a request to the first byte of the response.
    pub first_byte_timeout: Duration,
    /// The idle time after which the stream of HTTP+SSE is pinged; `None` for never.
    pub keep_alive: Option<Duration>,
    /// The number of concurrent calls, if it differs from the default.
    pub max_calls: Option<usize>,
    /// How to sign in; `None` if sign-in is off.
    pub oauth: Option<OAuth>,
}

impl Upstream {
    /// Whether both can use one connection. They may differ only in filters and prefix, which change what the
    /// client sees of the server.
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

    /// Validates a name.
    ///
    /// # Errors
    /// The fault and its remedy.
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

    /// The part of variable names that stands for this upstream, as in `PROXY_<NAME>_CLIENT_ID`. It is in
    /// upper case, with `_` for other characters than ASCII letters and digits.
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

/// The transport, and its fallback.
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
    /// Every word for a transport: the documented ones, then those of other clients.
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

    /// Parses a word, ignoring case.
    ///
    /// # Errors
    /// The fault, with the documented words.
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
    /// If an earlier upstream has a tool of the same name.
    #[default]
    OnCollision,
    /// Always, with this prefix.
    Always(String),
    /// Never. Of two tools with the same name, the later one is left out.
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
    fn filters_and_prefix_need_no_new_connection() {
        let plain = read("");
        assert!(plain == read("") && plain.can_share_connection(&read("")));
        for (more, can_share) in [
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
            assert_eq!(plain.can_share_connection(&other), can_share, "{more}");
        }
    }
}
