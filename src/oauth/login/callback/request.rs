//! An authorization response from a browser, and the page to send back.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::page::Page;
use crate::oauth::login::response::AuthorizationResponse;

/// The deadline for sending a page to the browser.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// An authorization response, and the browser that waits for a page.
#[derive(Debug)]
pub struct CallbackRequest {
    pub(super) response: AuthorizationResponse,
    pub(super) upstream: String,
    pub(super) browser: TcpStream,
}

impl CallbackRequest {
    /// Returns the authorization response.
    #[must_use]
    pub fn response(&self) -> &AuthorizationResponse {
        &self.response
    }

    /// Sends the page with the result. A closed browser is not an error.
    pub async fn respond(mut self, page: Page) {
        let reply = page.http_response(&self.upstream);
        let write = async {
            self.browser.write_all(&reply).await?;
            self.browser.shutdown().await
        };
        if !matches!(timeout(WRITE_TIMEOUT, write).await, Ok(Ok(()))) {
            debug!("sending the result page failed");
        }
    }
}
