//! The instructions that `login` prints. Addresses and codes are on lines of their own, to be copied.

use crate::oauth::SignInRequired;

/// Printed when pasted lines are read.
pub(super) const PASTE: &str = "\
When the browser ends at a page that it cannot open, paste the address of that page here and press Enter.";

/// Returns the instructions for the user.
pub(super) fn prompt(needed: &SignInRequired) -> String {
    let name = &needed.upstream;
    let Some(url) = &needed.url else {
        return format!("Signing in to `{name}`.");
    };
    let url = url.as_str();
    if let Some(code) = &needed.user_code {
        return format!(
            "To sign in to `{name}`, open this page on any device:\n\n{url}\n\n\
             and enter this code there, or compare it:\n\n{code}\n"
        );
    }
    if needed.browser_opened {
        return format!(
            "To sign in to `{name}`, use the page that was opened in your browser. If you do not see that page, open:\n\n{url}\n"
        );
    }
    let why = match needed.no_browser_reason {
        Some(SignInRequired::NOT_REQUESTED) | None => String::new(),
        Some(why) => format!(" (no browser was opened: {why})"),
    };
    format!("To sign in to `{name}`, open this page{why}:\n\n{url}\n")
}
