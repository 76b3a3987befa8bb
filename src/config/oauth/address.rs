//! Parsers of the urls and scopes in `oauth`. Errors do not quote values: a value that was written
//! here by mistake may be a secret.

use url::Url;

use crate::config::is_loopback;

/// Parses a url to which secrets may be sent: https, or http on this machine.
///
/// # Errors
/// The fault and its remedy.
pub(super) fn secure(text: &str) -> Result<Url, String> {
    let written = text.to_ascii_lowercase();
    // The parser also accepts `https:host`; others do not.
    if !["https://", "http://"]
        .iter()
        .any(|start| written.starts_with(start))
    {
        return Err("is not a url; write it with `https://`".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a url ({error}); correct it"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user or password; leave it out".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment; leave out `#` and what follows".to_owned());
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        let message = "would send secrets in the clear; use https, or http on localhost";
        return Err(message.to_owned());
    }
    Ok(url)
}

/// Parses the issuer of an authorization server, which stays as written (RFC 8414 § 2).
///
/// # Errors
/// The fault and its remedy.
pub(super) fn issuer(text: &str) -> Result<String, String> {
    if secure(text)?.query().is_some() {
        return Err(
            "has a query, which no issuer may have; leave out `?` and what follows".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// Parses the url of a client metadata document. It is the client id, and compared as text. So it
/// must be written as it is sent, without `..` and without upper case in the host
/// (draft-ietf-oauth-client-id-metadata-document-00 § 3).
///
/// # Errors
/// The fault and its remedy.
pub(super) fn client_metadata(text: &str) -> Result<Url, String> {
    let url = secure(text)?;
    if url.path() == "/" {
        return Err("has no path; write the whole url of the document, as in \
            `https://example.com/client.json`"
            .to_owned());
    }
    if url.as_str() != text {
        return Err(
            "is not as it would be sent; write the host in lower case, and neither a default port, \
             dots between slashes nor characters to encode"
                .to_owned(),
        );
    }
    Ok(url)
}

/// Parses a resource URI, which stays as written (RFC 8707 § 2).
///
/// # Errors
/// The fault and its remedy.
pub(super) fn resource(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if url.fragment().is_some() => {
            Err("has a fragment; leave out `#` and what follows".to_owned())
        }
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(
            "is not a uri; write it as in `https://mcp.example.com/mcp`, or `off` to send none"
                .to_owned(),
        ),
    }
}

/// Splits a list of scopes at its spaces.
///
/// # Errors
/// If a character is not allowed in scopes (RFC 6749 § 3.3).
pub(super) fn scopes(text: &str) -> Result<Vec<String>, String> {
    let is_scope = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    let scopes: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
    match scopes.iter().all(|scope| scope.chars().all(is_scope)) {
        true => Ok(scopes),
        false => Err(
            "holds a character that no scope can have; use visible ASCII without quotes and \
             backslashes"
                .to_owned(),
        ),
    }
}
