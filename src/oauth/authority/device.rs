//! The device authorization grant (RFC 8628).

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::error::TokenError;
use super::form::{Form, scope_and_resource};
use super::form_post::Endpoint;
use super::token_response::parse_body;
use crate::config::Secret;
use crate::oauth::address::{EndpointUrl, Issuer};
use crate::oauth::tokens::TokenResponse;

/// The grant type (RFC 8628 § 3.4).
const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The polling interval if the server names none or 0 (RFC 8628 § 3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// The increase of the interval after `slow_down` (RFC 8628 § 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The longest polling interval: the sign-in is noticed within a minute.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// The longest time to poll for one device code.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// The longest user code that a user could type, in characters.
const MAX_USER_CODE: usize = 64;

/// A device authorization response, checked (RFC 8628 § 3.2).
#[derive(Debug, Clone)]
pub struct DeviceAuthorization {
    /// The code that the user types at the address: printable ASCII.
    pub user_code: String,
    /// The address that the user opens.
    pub verification_uri: EndpointUrl,
    /// The address with the code included, if the server has one.
    pub verification_uri_complete: Option<EndpointUrl>,
    /// The lifetime of the code, from the request.
    pub expires_in: Duration,
    device_code: Secret,
    resource: Option<String>,
    requested_at: Instant,
    interval: Duration,
}

impl DeviceAuthorization {
    /// Requests a device code from an issuer's endpoint.
    pub(super) async fn request(
        endpoint: &Endpoint<'_>,
        issuer: &Issuer,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<Self, TokenError> {
        let requested_at = Instant::now();
        let form = scope_and_resource(scope, resource);
        let response: DeviceAuthorizationResponse =
            parse_body(&endpoint.post_form_for_json(&form).await?, endpoint.url)?;
        let user_code = response.user_code;
        let typable = |byte: u8| byte == b' ' || byte.is_ascii_graphic() && byte != b'`';
        let length = 1..=MAX_USER_CODE;
        if !length.contains(&user_code.len()) || !user_code.bytes().all(typable) {
            return Err(endpoint.malformed("the user code cannot be typed"));
        }
        let checked = |member, text: &str| {
            let url = EndpointUrl::parse_from_server(member, text, issuer.as_url());
            url.map_err(|error| endpoint.malformed(&error.to_string()))
        };
        let complete = response.verification_uri_complete;
        let complete = complete.map(|text| checked("verification_uri_complete", &text));
        let seconds = |value: Option<u64>, default| value.map_or(default, Duration::from_secs);
        Ok(Self {
            user_code,
            verification_uri: checked("verification_uri", &response.verification_uri)?,
            verification_uri_complete: complete.transpose()?,
            expires_in: seconds(response.expires_in, MAX_LIFETIME).min(MAX_LIFETIME),
            device_code: response.device_code,
            resource: resource.map(str::to_owned),
            requested_at,
            interval: seconds(response.interval, INTERVAL).min(MAX_INTERVAL),
        })
    }

    /// Waits until the user has signed in, and returns the token response.
    pub(super) async fn wait_for_token(
        &self,
        endpoint: &Endpoint<'_>,
    ) -> Result<TokenResponse, TokenError> {
        let end = self.requested_at + self.expires_in;
        let waited = timeout_at(end, self.poll(endpoint)).await;
        waited.unwrap_or(Err(TokenError::Expired))
    }

    async fn poll(&self, endpoint: &Endpoint<'_>) -> Result<TokenResponse, TokenError> {
        let mut form: Form<'_> = scope_and_resource(None, self.resource.as_deref());
        form.push(("grant_type".into(), DEVICE_CODE_GRANT.into()));
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

/// The response body, unchecked.
#[derive(Deserialize)]
struct DeviceAuthorizationResponse {
    device_code: Secret,
    user_code: String,
    /// Google still uses the name from a draft.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    #[serde(default, deserialize_with = "super::token_response::seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "super::token_response::seconds")]
    interval: Option<u64>,
}

/// Returns the delay before the next poll; `None` if polling cannot succeed any more.
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
