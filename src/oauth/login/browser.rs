//! The user's browser on this machine, if any.
//!
//! The program that opens it receives nothing but an http or https address in plain ASCII.

use std::io;

use url::Url;

use crate::config::Environment;
use crate::oauth::address::URL_PUNCTUATION;

/// The longest address, in bytes: the limit of Windows command lines.
const MAX_LENGTH: usize = 8000;

/// Opens pages.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Why no page is opened, as a clause.
    refusal: Option<&'static str>,
}

impl Browser {
    /// Decides by the environment whether pages can be opened here.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Self {
        let needs_display = cfg!(unix) && !cfg!(target_os = "macos");
        Self {
            refusal: refusal_reason(environment, needs_display),
        }
    }

    /// Returns `Ok` if a page may be opened.
    ///
    /// # Errors
    /// The reason why not, as a clause: "`CI` is set".
    pub fn can_open(&self) -> Result<(), &'static str> {
        self.refusal.map_or(Ok(()), Err)
    }

    /// Opens a page, without waiting for the user. The opener is detached from this process and
    /// prints nothing.
    ///
    /// # Errors
    /// Fails if no page may be opened, or no program can open it. The text omits the address.
    pub async fn open(&self, url: &str) -> io::Result<()> {
        self.can_open().map_err(io::Error::other)?;
        let url = checked_url(url).map_err(|fault| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the address is {fault}"),
            )
        })?;
        // This blocks for a moment, to see whether the program fails.
        let opened = tokio::task::spawn_blocking(move || open::that_detached(url.as_str())).await;
        match opened {
            Ok(Ok(())) => Ok(()),
            // The original text quotes the command, and with it the address.
            Ok(Err(error)) => Err(io::Error::new(error.kind(), "no program opened the page")),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// Returns why no page is opened.
fn refusal_reason(environment: &Environment, needs_display: bool) -> Option<&'static str> {
    let is_set = |name: &str| environment.get(name).is_some();
    let is_on = |value: &str| !value.eq_ignore_ascii_case("false") && value != "0";
    if environment.get("CI").is_some_and(is_on) {
        return Some("`CI` is set");
    }
    let over_ssh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];
    if over_ssh.into_iter().any(is_set) {
        return Some("this is an SSH session");
    }
    // WSL uses the browser of Windows.
    let is_wsl = ["WSL_DISTRO_NAME", "WSL_INTEROP"].into_iter().any(is_set);
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set);
    if needs_display && !has_display && !is_wsl {
        return Some("there is no display");
    }
    None
}

/// Checks that the text is a plain web address; otherwise returns what it is instead.
///
/// This repeats earlier checks: a hostile server's address must never become a command
/// (CVE-2025-6514).
fn checked_url(text: &str) -> Result<Url, &'static str> {
    if text.len() > MAX_LENGTH {
        return Err("too long");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || URL_PUNCTUATION.contains(&byte);
    if !text.bytes().all(plain) {
        return Err("not plain ASCII");
    }
    let url = Url::parse(text).map_err(|_| "none")?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || !url.username().is_empty() || url.password().is_some() {
        return Err("not a web address");
    }
    // The parsed form is what is opened, so it must be plain as well.
    if !url.as_str().bytes().all(plain) {
        return Err("not plain ASCII");
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
