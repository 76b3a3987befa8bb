//! The first usable one of the documents that may stand in several places.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::sleep;
use url::Url;

use super::document::{Missing, fetch};
use super::metadata::MetadataError;
use crate::net::Clients;
use crate::oauth::address::without_query;
use crate::oauth::error::{Attempt, OAuthError, shown};

/// How often a server in trouble is asked for a document, and how long it gets in between.
const ROUNDS: usize = 3;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(300);

/// A document, or where it was looked for in vain.
pub(in crate::oauth) enum Found<T> {
    Document(T),
    Nowhere(Vec<Attempt>),
}

/// How to ask for the documents.
pub(in crate::oauth) struct Candidates<'a> {
    pub(in crate::oauth) clients: &'a Clients,
    pub(in crate::oauth) headers: HeaderMap,
    /// How long one may take.
    pub(in crate::oauth) patience: Duration,
}

/// Why one address gave no document.
struct Failure {
    cause: Cause,
    /// Whether to ask again in a moment.
    again: bool,
}

enum Cause {
    /// There is none.
    Absent(Attempt),
    /// There is one, or there may be.
    Fatal(OAuthError),
}

impl Candidates<'_> {
    /// The first of the documents that can be used. Those of a server in trouble are asked for
    /// again, unless another serves. Of several failures the one that comes first in order counts.
    pub(in crate::oauth) async fn first<T>(
        &self,
        urls: &[Url],
        read: impl Fn(&[u8]) -> Result<T, MetadataError>,
    ) -> Result<Found<T>, OAuthError> {
        let mut results: Vec<Option<Failure>> = urls.iter().map(|_| None).collect();
        for round in 0..ROUNDS {
            if round > 0 {
                sleep(BETWEEN_ROUNDS).await;
            }
            for (url, result) in urls.iter().zip(&mut results) {
                if result.as_ref().is_none_or(|failure| failure.again) {
                    match self.one(url, &read).await {
                        Ok(document) => return Ok(Found::Document(document)),
                        Err(failure) => *result = Some(failure),
                    }
                }
            }
            if !results.iter().flatten().any(|failure| failure.again) {
                break;
            }
        }
        let mut tried = Vec::new();
        for failure in results.into_iter().flatten() {
            match failure.cause {
                Cause::Absent(attempt) => tried.push(attempt),
                Cause::Fatal(error) => return Err(error),
            }
        }
        Ok(Found::Nowhere(tried))
    }

    async fn one<T>(
        &self,
        url: &Url,
        read: impl Fn(&[u8]) -> Result<T, MetadataError>,
    ) -> Result<T, Failure> {
        let attempt = |outcome| Attempt {
            url: without_query(url).into(),
            outcome,
        };
        let fatal = |error, again| Failure {
            cause: Cause::Fatal(error),
            again,
        };
        let absent = |outcome| Failure {
            cause: Cause::Absent(attempt(outcome)),
            again: false,
        };
        let unreachable = |outcome, again| {
            let attempt = attempt(outcome);
            fatal(OAuthError::Unreachable { attempt }, again)
        };
        let malformed = |outcome| {
            let attempt = attempt(outcome);
            fatal(OAuthError::Malformed { attempt }, false)
        };
        let body = fetch(self.clients, url, &self.headers, self.patience).await;
        let body = body.map_err(|missing| match missing {
            Missing::Absent(outcome) => absent(outcome),
            Missing::Transient(outcome) => unreachable(outcome, true),
            Missing::Silent(outcome) => unreachable(outcome, false),
            Missing::Unusable(outcome) => malformed(outcome),
        })?;
        read(&body).map_err(|error| match error {
            MetadataError::Absent => absent(error.to_string()),
            MetadataError::Malformed(cause) => malformed(shown(&cause.to_string())),
            MetadataError::Refused(error) => fatal(error, false),
        })
    }
}
