//! The addresses and scopes that can be written in `oauth`. Nothing of a wrong one is repeated:
//! what was put there by mistake may be a secret.

use url::Url;

use crate::config::is_loopback;

/// Reads an address that secrets may be sent to: https, or http on this machine.
///
/// # Errors
/// What is wrong with it.
pub(super) fn secure(text: &str) -> Result<Url, String> {
    let written = text.to_ascii_lowercase();
    // The parser takes `https:host` too; other readers do not.
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

/// Reads the name of an authorization server, which stays as it is written (RFC 8414 § 2).
///
/// # Errors
/// What is wrong with it.
pub(super) fn issuer(text: &str) -> Result<String, String> {
    if secure(text)?.query().is_some() {
        return Err("has a query, as no issuer may; leave out `?` and what follows".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads the address of a client's metadata. It is the client's id and compared as a text, so it
/// must be written as it is sent: no `..`, no upper case in the host
/// (draft-ietf-oauth-client-id-metadata-document-00 § 3).
///
/// # Errors
/// What is wrong with it.
pub(super) fn client_metadata(text: &str) -> Result<Url, String> {
    let url = secure(text)?;
    if url.path() == "/" {
        return Err(
            "has no path; write the whole address of the document, as in \
             `https://example.com/client.json`"
                .to_owned(),
        );
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

/// Reads the name of a resource, which stays as it is written (RFC 8707 § 2).
///
/// # Errors
/// What is wrong with it.
pub(super) fn resource(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if url.fragment().is_some() => {
            Err("has a fragment; leave out `#` and what follows".to_owned())
        }
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(
            "is no uri; write it as in `https://mcp.example.com/mcp`, or `off` to send none"
                .to_owned(),
        ),
    }
}

/// Splits a list of scopes at its spaces.
///
/// # Errors
/// When there is a character that none can have (RFC 6749 § 3.3).
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
