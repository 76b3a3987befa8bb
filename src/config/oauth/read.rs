//! Parses `oauth` of an upstream.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jsonc_parser::ast::{Object, Value};

use super::address;
use super::field::{authorize_params, private_key, redirect_uri, resource, scopes};
use super::grant::{grant, grant_kind};
use super::variables::{Credentials, report_missing};
use super::{Login, OAuth, Pkce};
use crate::config::key::OAUTH_KEYS;
use crate::config::reader::Reader;
use crate::config::value::{self, kind};

const LOGIN: [(&str, Login); 2] = [("auto", Login::Auto), ("manual", Login::Manual)];

const PKCE: [(&str, Pkce); 2] = [("required", Pkce::Required), ("assumed", Pkce::Assumed)];

/// The remedy for an invalid duration.
const SECONDS: &str = "write seconds, or as in `30s`";

/// A valid value of `oauth`.
enum OAuthSetting<'a> {
    Unset,
    Off,
    /// An object, or `true`, which counts as an empty object.
    On(Option<&'a Object<'a>>),
}

/// Reads `oauth` and the variables of the upstream. An `Authorization` header turns sign-in off if
/// `oauth` is not set; else `oauth` applies and the header is removed.
pub(in crate::config) fn read(
    reader: &mut Reader<'_, '_>,
    headers: &mut HeaderMap,
) -> Option<OAuth> {
    let (setting, place) = (oauth_setting(reader)?, reader.field("oauth"));
    let place = place.map_or_else(|| reader.place.clone(), |(place, _)| place);
    let object = match setting {
        OAuthSetting::Off => return None,
        OAuthSetting::Unset => None,
        OAuthSetting::On(object) => object,
    };
    let name = reader.name.clone()?;
    let credentials = Credentials::read(reader.context.environment, &name, reader.problems);
    if headers.contains_key(AUTHORIZATION) {
        if matches!(setting, OAuthSetting::Unset) {
            credentials.warn_unused_beside_header(&name, reader.problems);
            return None;
        }
        headers.remove(AUTHORIZATION);
        let message = "takes precedence over `Authorization` in `headers`, which is not sent; \
        remove one of them";
        reader.warn(Some("oauth"), place.clone(), message.to_owned());
    }
    let mut inner = reader.section_reader("oauth", place);
    if let Some(object) = object {
        inner.collect_fields(object, &OAUTH_KEYS, true);
    }
    let oauth = sign_in(&mut inner, credentials);
    reader.failed |= inner.failed;
    oauth
}

/// Reads the value of `oauth`. Reports an invalid one and returns `None`.
fn oauth_setting<'a>(reader: &mut Reader<'a, '_>) -> Option<OAuthSetting<'a>> {
    let Some((place, value)) = reader.field("oauth") else {
        return Some(OAuthSetting::Unset);
    };
    let message = match value {
        Value::BooleanLit(boolean) if boolean.value => return Some(OAuthSetting::On(None)),
        Value::BooleanLit(_) => return Some(OAuthSetting::Off),
        Value::Object(object) => return Some(OAuthSetting::On(Some(object))),
        Value::StringLit(text) => match value::expand(&text.value, reader.context.environment) {
            Ok(text) if text.trim().eq_ignore_ascii_case("off") => return Some(OAuthSetting::Off),
            Ok(_) => "is not a known word; write `off`, or an object of keys".to_owned(),
            Err(message) => message,
        },
        other => format!("is {}; write an object, true or false", kind(other)),
    };
    reader.error(Some("oauth"), place, message);
    None
}

fn sign_in(reader: &mut Reader<'_, '_>, credentials: Credentials) -> Option<OAuth> {
    let default = OAuth::default();
    let grant_kind = grant_kind(reader);
    let mut oauth = OAuth {
        client_id: reader.line("client_id"),
        client_secret: reader.secret("client_secret"),
        client_metadata_url: reader.expanded("client_metadata_url", address::client_metadata),
        private_key: private_key(reader),
        redirect_uri: redirect_uri(reader),
        scopes: scopes(reader),
        resource: resource(reader),
        authorization_server: reader.expanded("authorization_server", address::issuer),
        authorize_params: authorize_params(reader),
        login: reader.word("login", &LOGIN).unwrap_or_default(),
        login_retry: reader
            .number("login_retry", value::duration, SECONDS)
            .unwrap_or(default.login_retry),
        pkce: reader.word("pkce", &PKCE).unwrap_or_default(),
        grant: default.grant,
    };
    if let Some(name) = &reader.name {
        credentials.apply_to(&mut oauth, name, reader.problems);
    }
    check_client(reader, &mut oauth);
    oauth.grant = grant(reader, grant_kind, &oauth)?;
    Some(oauth)
}

/// Checks the combination of client id, secret, key and metadata url.
fn check_client(reader: &mut Reader<'_, '_>, oauth: &mut OAuth) {
    let has_client_id = oauth.client_id.is_some();
    if has_client_id && oauth.client_metadata_url.take().is_some() {
        reader.warn_unused("client_metadata_url", "since there is a `client_id`");
    }
    if oauth.private_key.is_some() && oauth.client_secret.take().is_some() {
        reader.warn_unused("client_secret", "since there is a `private_key_pem`");
    }
    if oauth.client_secret.is_some() && !has_client_id {
        report_missing(reader, "client_id", "`client_secret`");
    }
    if oauth.private_key.is_some() && !has_client_id && oauth.client_metadata_url.is_none() {
        report_missing(reader, "client_id", "`private_key_pem`");
    }
}
