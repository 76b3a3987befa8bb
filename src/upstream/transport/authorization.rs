//! Authorization of the requests to one upstream: signs them, and replaces a rejected token.

use std::sync::Arc;

use http::StatusCode;
use reqwest::{Request, Response};
use tracing::debug;

use crate::oauth::{Authorizer, Challenges, Credential};
use crate::upstream::error::TransportError;

/// The number of tokens that one request tries after the first was rejected.
const MAX_REFUSALS: usize = 3;

/// Signs the requests to one origin. Does nothing if no sign-in is configured.
#[derive(Debug, Clone)]
pub(crate) struct Authorization(Option<Arc<Authorizer>>);

/// The signature of one request.
#[derive(Debug)]
pub(crate) struct Signature {
    credential: Option<Arc<Credential>>,
    /// Whether the response has a new nonce for the DPoP proof (RFC 9449 § 9).
    has_new_nonce: bool,
}

impl Authorization {
    pub(crate) fn new(authorizer: Option<Arc<Authorizer>>) -> Self {
        Self(authorizer)
    }

    pub(crate) fn authorizer(&self) -> Option<&Authorizer> {
        self.0.as_deref()
    }

    /// Adds the headers that sign a request.
    ///
    /// # Errors
    /// [`TransportError::SignIn`], when there is no token.
    pub(crate) async fn sign(&self, request: &mut Request) -> Result<Signature, TransportError> {
        let credential = match &self.0 {
            Some(authorizer) => authorizer.credential().await,
            None => Ok(None),
        };
        let credential = credential.map_err(TransportError::SignIn)?;
        if let Some(credential) = &credential {
            let signed = credential.authorization_headers(request.method(), request.url());
            let signed = signed.map_err(|error| TransportError::SignIn(error.into()))?;
            for (name, value) in signed {
                request.headers_mut().insert(name, value);
            }
        }
        Ok(Signature {
            credential,
            has_new_nonce: false,
        })
    }

    /// Returns the challenges of a response that another token may satisfy: 401, or 403 with `insufficient_scope`
    /// (RFC 6750 § 3.1). The upstream did not process the request.
    pub(crate) fn challenges(&self, response: &Response) -> Option<Challenges> {
        self.0.as_ref()?;
        match response.status() {
            StatusCode::UNAUTHORIZED => Some(Challenges::from_headers(response.headers())),
            StatusCode::FORBIDDEN => {
                let challenges = Challenges::from_headers(response.headers());
                challenges
                    .has_error("insufficient_scope")
                    .then_some(challenges)
            }
            _ => None,
        }
    }

    /// Replaces the rejected token. This may send requests to the authorization server, but never waits for the user.
    ///
    /// # Errors
    /// [`TransportError::SignIn`], also after [`MAX_REFUSALS`].
    pub(crate) async fn replace_token(
        &self,
        refused: &Signature,
        status: StatusCode,
        challenges: &Challenges,
        refusals: usize,
    ) -> Result<(), TransportError> {
        let Some(authorizer) = &self.0 else {
            return Ok(());
        };
        debug!(%status, refusals, "access token rejected; getting another");
        if refusals > MAX_REFUSALS {
            return Err(TransportError::SignIn(authorizer.token_refused_error()));
        }
        let refused = refused.credential.as_deref();
        let better = authorizer.handle_refusal(refused, status, challenges).await;
        better.map_err(TransportError::SignIn)
    }
}

impl Signature {
    /// Stores the response's nonce for the next proof.
    pub(crate) fn record_nonce(&mut self, response: &Response) {
        if let Some(credential) = &self.credential {
            self.has_new_nonce = credential.store_nonce(response.url(), response.headers());
        }
    }

    /// Returns `true` if the request may succeed with a proof that has the new nonce. A renewed token may be
    /// bound to a key without a nonce.
    pub(crate) fn is_outdated(&self, challenges: &Challenges) -> bool {
        self.has_new_nonce && challenges.has_error("use_dpop_nonce")
    }
}
