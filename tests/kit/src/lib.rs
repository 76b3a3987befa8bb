//! The test kit: launches the proxy as a client does, and real servers for it to connect to.
//!
//! No wait is a sleep. A wait ends with the expected event, or after [`GUARD`] with a panic that names
//! the missing event. Every server listens on a port that the system chooses.

// A failure here is a failed test, which a panic reports.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]
// A `json!` in place is easier to read than a reference to one.
#![allow(clippy::needless_pass_by_value)]

#[cfg(target_os = "linux")]
pub mod desktop;
pub mod gate;
pub mod http;
pub mod json;
pub mod login_files;
pub mod oauth;
pub mod proxy;
pub mod raw;
pub mod sdk;
pub mod sessions;
pub mod tls;
pub mod upstream;
pub mod verbatim;

use std::time::Duration;

/// How long a wait may take before the test fails: long, because a loaded machine is slow.
pub const GUARD: Duration = Duration::from_secs(30);

/// A server with a url for the configuration of the proxy.
pub trait Endpoint {
    /// Returns the URL to configure.
    fn url(&self) -> String;

    /// Returns the value of `transport` in the configuration; `None` omits the key.
    fn transport(&self) -> Option<&'static str> {
        None
    }
}

impl Endpoint for str {
    fn url(&self) -> String {
        self.to_owned()
    }
}

impl Endpoint for String {
    fn url(&self) -> String {
        self.clone()
    }
}

/// Waits for `future`, for at most [`GUARD`]. Panics with `what` after that.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(GUARD, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {GUARD:?} in vain for {what}"),
    }
}
