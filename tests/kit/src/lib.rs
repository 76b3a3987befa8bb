//! What the tests stand on: the proxy as its clients launch it, and real servers for it to reach.
//!
//! Nothing here sleeps to wait. A wait ends with the thing waited for, or after [`GUARD`] with
//! a panic that says what was missing. Every server listens on a port the system chose.

// A failure in here is a failed test, and the panic is how a test reports it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]
// A `json!` written in place reads better than a reference to one.
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

/// How long anything may take before the test is called stuck: generous, as a loaded machine is slow.
pub const GUARD: Duration = Duration::from_secs(30);

/// Something with an address that the proxy can be pointed at.
pub trait Endpoint {
    /// The URL to configure.
    fn url(&self) -> String;

    /// The word for `transport` in the configuration; `None` leaves the key out.
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

/// Waits for `future`, at most [`GUARD`], and panics with `what` when it does not come.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(GUARD, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {GUARD:?} in vain for {what}"),
    }
}
