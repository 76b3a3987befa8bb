//! The timeouts of upstreams that set none themselves.

use std::time::Duration;

use super::problem::Problem;
use super::read_variable::variable;
use super::{Environment, value};

/// The default idle timeout of a call. It is longer than tools usually take. It is shorter than the
/// hour after which clients have timed out themselves.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// The default idle time before a stream is pinged: middleboxes commonly close connections after 55 to 60 s.
pub(super) const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(50);

/// The defaults for all upstreams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For upstreams without `timeout`.
    pub(super) timeout: Duration,
    /// For upstreams without `first_byte_timeout`; `None` if their `timeout` applies.
    pub(super) first_byte: Option<Duration>,
    /// See [`Upstream::keep_alive`](super::Upstream::keep_alive).
    pub(super) keep_alive: Option<Duration>,
}

impl Timeouts {
    /// Reads `PROXY_TIMEOUT`, `PROXY_FIRST_BYTE_TIMEOUT` and `PROXY_KEEP_ALIVE`.
    pub(super) fn read(environment: &Environment, problems: &mut Vec<Problem>) -> Self {
        let mut time = |name| variable(environment, name, value::duration, problems);
        let (timeout, first_byte) = (time("PROXY_TIMEOUT"), time("PROXY_FIRST_BYTE_TIMEOUT"));
        let keep_alive = variable(environment, "PROXY_KEEP_ALIVE", keep_alive, problems);
        Self {
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
            first_byte,
            keep_alive: keep_alive.unwrap_or(Some(DEFAULT_KEEP_ALIVE)),
        }
    }
}

fn keep_alive(text: &str) -> Result<Option<Duration>, String> {
    match text.trim() {
        "off" => Ok(None),
        text => value::duration(text)
            .map(Some)
            .map_err(|message| format!("{message}, or `off`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_most_specific_first_byte_timeout_applies() {
        let own = r#","timeout":9,"first_byte_timeout":"4s""#;
        type Variables<'a> = &'a [(&'a str, &'a str)];
        let cases: [(&str, Variables<'_>, [u64; 2]); 6] = [
            ("", &[], [300, 300]),
            (r#","timeout":9"#, &[], [9, 9]),
            (own, &[], [9, 4]),
            ("", &[("PROXY_TIMEOUT", "7")], [7, 7]),
            (
                r#","timeout":9"#,
                &[("PROXY_FIRST_BYTE_TIMEOUT", "3")],
                [9, 3],
            ),
            (own, &[("PROXY_FIRST_BYTE_TIMEOUT", "3")], [9, 4]),
        ];
        for (keys, variables, expected) in cases {
            let list = format!(r#"[{{"name":"docs","url":"https://docs.example"{keys}}}]"#);
            let all = [
                ("PROXY_UPSTREAMS", list.as_str()),
                ("PROXY_KEEP_ALIVE", "off"),
            ];
            let all = all.iter().chain(variables);
            let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let config = Config::from_environment(&all.collect()).unwrap();
            let upstream = &config.upstreams[0];
            let times = [upstream.timeout, upstream.first_byte_timeout];
            assert_eq!(times, expected.map(Duration::from_secs), "{keys}");
            assert_eq!(upstream.keep_alive, None);
        }
    }
}
