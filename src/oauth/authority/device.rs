//! The sign-in without a browser of ours (RFC 8628).

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::read;
use super::error::TokenError;
use super::form::{Form, asked};
use super::form_post::Endpoint;
use crate::config::Secret;
use crate::oauth::address::{EndpointUrl, Issuer};
use crate::oauth::tokens::Grant;

/// The grant (RFC 8628 § 3.4).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How long to wait between two questions when the server does not say, or says 0
/// (RFC 8628 § 3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// What is added when the server finds us too quick (RFC 8628 § 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The longest wait between two questions: a minute after the sign-in we know of it.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// The longest time that a code is waited for.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// The longest code that a person could type, in characters.
const MAX_USER_CODE: usize = 64;

/// What a person has to be told, and what we wait for meanwhile (RFC 8628 § 3.2).
#[derive(Debug, Clone)]
pub struct DeviceAuthorization {
    /// What the person types there: printable ASCII.
    pub user_code: String,
    /// Where the person goes.
    pub verification_uri: EndpointUrl,
    /// The same with the code in it, when the server has such a page.
    pub verification_uri_complete: Option<EndpointUrl>,
    /// How long the code is good, from when it was asked for.
    pub expires_in: Duration,
    device_code: Secret,
    resource: Option<String>,
    asked_at: Instant,
    interval: Duration,
}

impl DeviceAuthorization {
    /// Asks the endpoint of an issuer for a code.
    pub(super) async fn request(
        endpoint: &Endpoint<'_>,
        issuer: &Issuer,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<Self, TokenError> {
        let asked_at = Instant::now();
        let form = asked(scope, resource);
        let written: Written = read(&endpoint.ask(&form).await?, endpoint.url)?;
        let user_code = written.user_code;
        let typable = |byte: u8| byte == b' ' || byte.is_ascii_graphic() && byte != b'`';
        let length = 1..=MAX_USER_CODE;
        if !length.contains(&user_code.len()) || !user_code.bytes().all(typable) {
            return Err(endpoint.malformed("its code is none to type"));
        }
        let checked = |member, text: &str| {
            let url = EndpointUrl::beside(member, text, issuer.as_url());
            url.map_err(|error| endpoint.malformed(&error.to_string()))
        };
        let complete = written.verification_uri_complete;
        let complete = complete.map(|text| checked("verification_uri_complete", &text));
        let seconds = |given: Option<u64>, default| given.map_or(default, Duration::from_secs);
        Ok(Self {
            user_code,
            verification_uri: checked("verification_uri", &written.verification_uri)?,
            verification_uri_complete: complete.transpose()?,
            expires_in: seconds(written.expires_in, MAX_LIFETIME).min(MAX_LIFETIME),
            device_code: written.device_code,
            resource: resource.map(str::to_owned),
            asked_at,
            interval: seconds(written.interval, INTERVAL).min(MAX_INTERVAL),
        })
    }

    /// Waits for the person, and for the token that the endpoint then grants.
    pub(super) async fn token(&self, endpoint: &Endpoint<'_>) -> Result<Grant, TokenError> {
        let end = self.asked_at + self.expires_in;
        let waited = timeout_at(end, self.poll(endpoint)).await;
        waited.unwrap_or(Err(TokenError::Expired))
    }

    async fn poll(&self, endpoint: &Endpoint<'_>) -> Result<Grant, TokenError> {
        let mut form: Form<'_> = asked(None, self.resource.as_deref());
        form.push(("grant_type".into(), GRANT.into()));
        form.push(("device_code".into(), self.device_code.expose().into()));
        let mut interval = self.interval;
        loop {
            sleep(interval).await;
            match endpoint.token(&form).await {
                Err(error) => interval = next_interval(interval, &error).ok_or(error)?,
                done => return done,
            }
        }
    }
}

/// The answer as it is written.
#[derive(Deserialize)]
struct Written {
    device_code: Secret,
    user_code: String,
    /// The second name is that of a draft, which Google has kept.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    #[serde(default, deserialize_with = "super::answer::seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "super::answer::seconds")]
    interval: Option<u64>,
}

/// How long to wait before the next question; none when that is of no use.
fn next_interval(interval: Duration, error: &TokenError) -> Option<Duration> {
    match error {
        TokenError::Refused { error, .. } if error == "authorization_pending" => Some(interval),
        TokenError::Refused { error, .. } if error == "slow_down" => Some(interval + SLOW_DOWN),
        // "exponential backoff" (RFC 8628 § 3.5).
        error if error.is_transient() => Some((interval * 2).min(MAX_INTERVAL)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
