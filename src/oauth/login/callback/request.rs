//! An answer to a sign-in that a browser brought, and the page that it gets.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::page::Page;
use crate::oauth::login::response::AuthorizationResponse;

/// How long a page may take on its way to a browser on this machine.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer, and the browser that waits for a page.
#[derive(Debug)]
pub struct CallbackRequest {
    pub(super) response: AuthorizationResponse,
    pub(super) upstream: String,
    pub(super) browser: TcpStream,
}

impl CallbackRequest {
    /// The answer.
    #[must_use]
    pub fn response(&self) -> &AuthorizationResponse {
        &self.response
    }

    /// Shows the person how it ended. That the browser has gone is no error.
    pub async fn answer(mut self, page: Page) {
        let reply = page.reply(&self.upstream);
        let write = async {
            self.browser.write_all(&reply).await?;
            self.browser.shutdown().await
        };
        if !matches!(timeout(WRITE_TIMEOUT, write).await, Ok(Ok(()))) {
            debug!("the browser did not take the page");
        }
    }
}
