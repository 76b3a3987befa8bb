//! Fetches a document that may be at one of several addresses.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::sleep;
use url::Url;

use super::document::{FetchError, fetch};
use super::metadata::MetadataError;
use crate::net::Clients;
use crate::oauth::address::without_query;
use crate::oauth::error::{Attempt, DiscoveryError, printable};

/// How often a document is requested from a failing server, and the delay in between.
const ROUNDS: usize = 3;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(300);

/// A document, or the addresses that were tried.
pub(in crate::oauth) enum Lookup<T> {
    Found(T),
    NotFound(Vec<Attempt>),
}

/// How to request the documents.
pub(in crate::oauth) struct CandidateFetcher<'a> {
    pub(in crate::oauth) clients: &'a Clients,
    pub(in crate::oauth) headers: HeaderMap,
    /// The deadline for one document.
    pub(in crate::oauth) document_timeout: Duration,
}

/// Why an address returned no usable document.
struct Failure {
    cause: Cause,
    /// Whether a retry in a moment may succeed.
    is_retryable: bool,
}

enum Cause {
    /// There is no document.
    NotFound(Attempt),
    /// There is a document, or there may be one.
    Fatal(DiscoveryError),
}

impl CandidateFetcher<'_> {
    /// Returns the first usable document. Retries a failing server unless another address has one.
    /// Of several failures, returns the one of the first address.
    pub(in crate::oauth) async fn first_usable<T>(
        &self,
        urls: &[Url],
        read: impl Fn(&[u8]) -> Result<T, MetadataError>,
    ) -> Result<Lookup<T>, DiscoveryError> {
        let mut results: Vec<Option<Failure>> = urls.iter().map(|_| None).collect();
        for round in 0..ROUNDS {
            if round > 0 {
                sleep(BETWEEN_ROUNDS).await;
            }
            for (url, result) in urls.iter().zip(&mut results) {
                if result.as_ref().is_none_or(|failure| failure.is_retryable) {
                    match self.fetch_one(url, &read).await {
                        Ok(document) => return Ok(Lookup::Found(document)),
                        Err(failure) => *result = Some(failure),
                    }
                }
            }
            if !results.iter().flatten().any(|failure| failure.is_retryable) {
                break;
            }
        }
        let mut tried = Vec::new();
        for failure in results.into_iter().flatten() {
            match failure.cause {
                Cause::NotFound(attempt) => tried.push(attempt),
                Cause::Fatal(error) => return Err(error),
            }
        }
        Ok(Lookup::NotFound(tried))
    }

    async fn fetch_one<T>(
        &self,
        url: &Url,
        read: impl Fn(&[u8]) -> Result<T, MetadataError>,
    ) -> Result<T, Failure> {
        let attempt = |outcome| Attempt {
            url: without_query(url).into(),
            outcome,
        };
        let fatal = |error, is_retryable| Failure {
            cause: Cause::Fatal(error),
            is_retryable,
        };
        let absent = |outcome| Failure {
            cause: Cause::NotFound(attempt(outcome)),
            is_retryable: false,
        };
        let unreachable = |outcome, is_retryable| {
            let attempt = attempt(outcome);
            fatal(DiscoveryError::Unreachable { attempt }, is_retryable)
        };
        let malformed = |outcome| {
            let attempt = attempt(outcome);
            fatal(DiscoveryError::Malformed { attempt }, false)
        };
        let body = fetch(self.clients, url, &self.headers, self.document_timeout).await;
        let body = body.map_err(|error| match error {
            FetchError::NotFound(outcome) => absent(outcome),
            FetchError::Transient(outcome) => unreachable(outcome, true),
            FetchError::TimedOut(outcome) => unreachable(outcome, false),
            FetchError::Unusable(outcome) => malformed(outcome),
        })?;
        read(&body).map_err(|error| match error {
            MetadataError::NotMetadata => absent(error.to_string()),
            MetadataError::Malformed(cause) => malformed(printable(&cause.to_string())),
            MetadataError::Refused(error) => fatal(error, false),
        })
    }
}
