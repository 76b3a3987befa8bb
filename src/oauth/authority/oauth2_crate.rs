//! How the `oauth2` crate, which knows the standard grants, reaches the server: through our
//! [`Endpoint`](super::Endpoint), with our way of saying who the client is and of reading answers.

use futures_util::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AsyncHttpClient, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    RequestTokenError, StandardRevocableToken, TokenUrl,
};
use url::form_urlencoded;

use super::credentials::Form;
use super::{Answer, Authority, TokenError, unreadable};
use crate::oauth::tokens::{Grant, Timestamp};

/// The grants of the library, with our way of reading answers.
pub(super) type Grants = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Authority<'_> {
    pub(super) fn grants(&self) -> Grants {
        // Who the client is, is said where the request is sent.
        oauth2::Client::new(ClientId::new(self.client.client_id.clone())).set_token_uri(
            TokenUrl::from_url(self.server.token_endpoint.as_url().clone()),
        )
    }

    /// What came of a request of the library's that was sent at this time.
    pub(super) fn answered(
        &self,
        answer: Result<Answer, RequestTokenError<TokenError, BasicErrorResponse>>,
        sent: Timestamp,
    ) -> Result<Grant, TokenError> {
        self.granted(answer.map_err(|error| self.failed(error))?, sent)
    }

    fn failed(&self, error: RequestTokenError<TokenError, BasicErrorResponse>) -> TokenError {
        match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::Parse(error, _) => {
                unreadable(error.inner(), self.server.token_endpoint.as_url())
            }
            // Neither comes: refusals and empty answers end before the library sees them.
            RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
                self.malformed("it says nothing")
            }
        }
    }

    /// Sends a request of the library's; what it adds to say who the client is, is left out.
    async fn relay(&self, request: HttpRequest) -> Result<HttpResponse, TokenError> {
        let form: Form<'_> = form_urlencoded::parse(request.body()).collect();
        let body = self
            .endpoint(&self.server.token_endpoint)?
            .ask(&form)
            .await?;
        Ok(HttpResponse::new(body.into()))
    }
}

impl<'c> AsyncHttpClient<'c> for Authority<'_> {
    type Error = TokenError;
    type Future = BoxFuture<'c, Result<HttpResponse, TokenError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.relay(request))
    }
}
