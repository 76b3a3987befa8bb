//! The browser of the person at this machine, if there is one.
//!
//! Nothing but an http or https address of plain ASCII reaches the program that opens it.

use std::io;

use url::Url;

use crate::config::Environment;
use crate::oauth::address::MARKS;

/// The longest address that is opened, in bytes: command lines of Windows end there.
const MAX_LENGTH: usize = 8000;

/// What opens a page.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Why nothing is opened, as a clause.
    refusal: Option<&'static str>,
}

impl Browser {
    /// Whether and how a page can be opened here, by what the environment says.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Self {
        let needs_display = cfg!(unix) && !cfg!(target_os = "macos");
        Self {
            refusal: refusal(environment, needs_display),
        }
    }

    /// Whether a page may be opened.
    ///
    /// # Errors
    /// Why not, as a clause: "`CI` is set".
    pub fn can_open(&self) -> Result<(), &'static str> {
        self.refusal.map_or(Ok(()), Err)
    }

    /// Opens a page, and does not wait for the person. The program that does it is apart from
    /// this process, and writes nowhere.
    ///
    /// # Errors
    /// When it may not be opened, or nothing there can; the address is not repeated.
    pub async fn open(&self, url: &str) -> io::Result<()> {
        self.can_open().map_err(io::Error::other)?;
        let url = openable(url).map_err(|fault| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the address is {fault}"),
            )
        })?;
        // It looks on for a while, whether the program fails.
        let opened = tokio::task::spawn_blocking(move || open::that_detached(url.as_str())).await;
        match opened {
            Ok(Ok(())) => Ok(()),
            // Its text repeats the command, and so the address.
            Ok(Err(error)) => Err(io::Error::new(error.kind(), "no program opened the page")),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// Why nothing is opened.
fn refusal(environment: &Environment, needs_display: bool) -> Option<&'static str> {
    let is_set = |name: &str| environment.get(name).is_some();
    let is_on = |value: &str| !value.eq_ignore_ascii_case("false") && value != "0";
    if environment.get("CI").is_some_and(is_on) {
        return Some("`CI` is set");
    }
    let over_ssh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];
    if over_ssh.into_iter().any(is_set) {
        return Some("this is an SSH session");
    }
    // On WSL it is the browser of Windows.
    let is_wsl = ["WSL_DISTRO_NAME", "WSL_INTEROP"].into_iter().any(is_set);
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set);
    if needs_display && !has_display && !is_wsl {
        return Some("there is no display");
    }
    None
}

/// The address, when it is nothing but one, or what else it is.
///
/// Checked here again, whatever was checked before: an address that a hostile server wrote must
/// not become a command (as CVE-2025-6514 was).
fn openable(text: &str) -> Result<Url, &'static str> {
    if text.len() > MAX_LENGTH {
        return Err("too long");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
    if !text.bytes().all(plain) {
        return Err("not plain ASCII");
    }
    let url = Url::parse(text).map_err(|_| "none")?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || !url.username().is_empty() || url.password().is_some() {
        return Err("not one of the web");
    }
    // What was parsed is what is opened: it must be as plain as what was written.
    if !url.as_str().bytes().all(plain) {
        return Err("not plain ASCII");
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
