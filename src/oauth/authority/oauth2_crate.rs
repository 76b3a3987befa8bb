//! Connects the `oauth2` crate, which implements the standard grants, to our [`Endpoint`]: it
//! authenticates the client and parses responses.

use futures_util::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AsyncHttpClient, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    RequestTokenError, StandardRevocableToken, TokenUrl,
};
use url::form_urlencoded;

use super::error::TokenError;
use super::form::Form;
use super::form_post::Endpoint;
use super::token_response::{TokenResponseBody, malformed_body};

/// The crate's client, with our response body.
pub(super) type Oauth2Client = oauth2::Client<
    BasicErrorResponse,
    TokenResponseBody,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Returns the crate's client for an endpoint.
pub(super) fn oauth2_client(endpoint: &Endpoint<'_>) -> Oauth2Client {
    // The endpoint authenticates the client when it sends the request.
    oauth2::Client::new(ClientId::new(endpoint.client_id.to_owned()))
        .set_token_uri(TokenUrl::from_url(endpoint.url.clone()))
}

/// Converts the crate's result.
pub(super) fn response_body(
    result: Result<TokenResponseBody, RequestTokenError<TokenError, BasicErrorResponse>>,
    endpoint: &Endpoint<'_>,
) -> Result<TokenResponseBody, TokenError> {
    result.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(error, _) => malformed_body(error.inner(), endpoint.url),
        // Unreachable: the endpoint reports errors and empty responses before the crate parses
        // them.
        RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
            endpoint.malformed("empty")
        }
    })
}

impl<'c> AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = TokenError;
    type Future = BoxFuture<'c, Result<HttpResponse, TokenError>>;

    /// Sends a request of the crate, without the client authentication that the crate adds.
    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let form: Form<'_> = form_urlencoded::parse(request.body()).collect();
            let body = self.post_form_for_json(&form).await?;
            Ok(HttpResponse::new(body.into()))
        })
    }
}
