//! HTTP clients: their connections, the detection of a system suspend, and error texts.

mod clients;
mod connect_tracker;
mod suspend;

pub use clients::{Clients, CurrentClient};
pub(crate) use connect_tracker::ConnectTracker;

use std::error::Error;

/// The text of an error and its causes, on one line.
pub(crate) fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
