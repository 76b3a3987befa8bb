//! How the `oauth2` crate, which knows the standard grants, reaches the server: through our
//! [`Endpoint`], with our way of saying who the client is and of reading answers.

use futures_util::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AsyncHttpClient, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    RequestTokenError, StandardRevocableToken, TokenUrl,
};
use url::form_urlencoded;

use super::answer::{Answer, unreadable};
use super::error::TokenError;
use super::form::Form;
use super::form_post::Endpoint;

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

/// The grants for the client of an endpoint.
pub(super) fn grants(endpoint: &Endpoint<'_>) -> Grants {
    // Who the client is, is said where the request is sent.
    oauth2::Client::new(ClientId::new(endpoint.client_id.to_owned()))
        .set_token_uri(TokenUrl::from_url(endpoint.url.clone()))
}

/// What came of a request of the library's.
pub(super) fn outcome(
    answer: Result<Answer, RequestTokenError<TokenError, BasicErrorResponse>>,
    endpoint: &Endpoint<'_>,
) -> Result<Answer, TokenError> {
    answer.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(error, _) => unreadable(error.inner(), endpoint.url),
        // Neither comes: refusals and empty answers end before the library sees them.
        RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
            endpoint.malformed("it says nothing")
        }
    })
}

impl<'c> AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = TokenError;
    type Future = BoxFuture<'c, Result<HttpResponse, TokenError>>;

    /// Sends a request of the library's; what it adds to say who the client is, is left out.
    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let form: Form<'_> = form_urlencoded::parse(request.body()).collect();
            let body = self.ask(&form).await?;
            Ok(HttpResponse::new(body.into()))
        })
    }
}
