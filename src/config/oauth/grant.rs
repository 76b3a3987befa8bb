//! The grant for tokens, and the keys that it requires or does not use.

use super::variables::report_missing;
use super::{Enterprise, GrantChoice, OAuth, address};
use crate::config::reader::Reader;

/// The kinds of grants, without their parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GrantKind {
    AuthorizationCode,
    Device,
    ClientCredentials,
    JwtBearer,
    Enterprise,
}

/// The words for the kinds.
const WORDS: [(&str, GrantKind); 5] = [
    ("authorization_code", GrantKind::AuthorizationCode),
    ("device", GrantKind::Device),
    ("client_credentials", GrantKind::ClientCredentials),
    ("jwt_bearer", GrantKind::JwtBearer),
    ("enterprise", GrantKind::Enterprise),
];

impl GrantKind {
    fn as_str(self) -> &'static str {
        let word = WORDS.iter().find(|(_, kind)| *kind == self);
        word.map_or("", |(word, _)| word)
    }

    /// Whether this kind uses a key.
    fn uses_key(self, key: &str) -> bool {
        match key {
            "redirect_uri" | "callback_port" | "authorize_params" | "pkce" => {
                self == Self::AuthorizationCode
            }
            "login" | "login_retry" => matches!(self, Self::AuthorizationCode | Self::Device),
            "client_metadata_url" => self != Self::ClientCredentials,
            "assertion" => self == Self::JwtBearer,
            key => !key.starts_with("idp_") || self == Self::Enterprise,
        }
    }
}

/// Reads the kind, and removes the keys that it does not use, with a warning.
pub(super) fn grant_kind(reader: &mut Reader<'_, '_>) -> GrantKind {
    let before = reader.problems.len();
    let kind = reader.word("grant", &WORDS);
    if reader.problems.len() > before {
        return GrantKind::AuthorizationCode;
    }
    let kind = kind.unwrap_or(GrantKind::AuthorizationCode);
    let keys: Vec<_> = reader.fields.keys().copied().collect();
    for key in keys.into_iter().filter(|key| !kind.uses_key(key)) {
        reader.warn_unused(key, &format!("as `grant` is `{}`", kind.as_str()));
        reader.fields.remove(key);
    }
    kind
}

/// Reads the parameters of a kind.
pub(super) fn grant(
    reader: &mut Reader<'_, '_>,
    kind: GrantKind,
    oauth: &OAuth,
) -> Option<GrantChoice> {
    match kind {
        GrantKind::AuthorizationCode => Some(GrantChoice::AuthorizationCode),
        GrantKind::Device => Some(GrantChoice::Device),
        GrantKind::ClientCredentials => client_credentials(reader, oauth),
        GrantKind::JwtBearer => {
            let assertion = required_value(reader, "assertion", kind, |it| it.secret("assertion"))?;
            Some(GrantChoice::JwtBearer { assertion })
        }
        GrantKind::Enterprise => enterprise(reader).map(GrantChoice::Enterprise),
    }
}

fn client_credentials(reader: &mut Reader<'_, '_>, oauth: &OAuth) -> Option<GrantChoice> {
    if oauth.client_id.is_none() {
        report_missing(reader, "client_id", "grant `client_credentials`");
    }
    let has_key = oauth.private_key.is_some() || reader.is_invalid("private_key_pem");
    if oauth.client_secret.is_none() && !has_key {
        report_missing(reader, "client_secret", "grant `client_credentials`");
    }
    (!reader.failed).then_some(GrantChoice::ClientCredentials)
}

fn enterprise(reader: &mut Reader<'_, '_>) -> Option<Enterprise> {
    let kind = GrantKind::Enterprise;
    let idp_client_id =
        required_value(reader, "idp_client_id", kind, |it| it.line("idp_client_id"));
    let idp_id_token = required_value(reader, "idp_id_token", kind, |it| it.secret("idp_id_token"));
    let idp_token_endpoint = required_value(reader, "idp_token_endpoint", kind, |it| {
        it.expanded("idp_token_endpoint", address::secure)
    });
    let (idp_client_secret, idp_issuer) = (
        reader.secret("idp_client_secret"),
        reader.line("idp_issuer"),
    );
    Some(Enterprise {
        idp_client_id: idp_client_id?,
        idp_client_secret,
        idp_id_token: idp_id_token?,
        idp_issuer,
        idp_token_endpoint: idp_token_endpoint?,
    })
}

/// Reads a value that a kind requires, and reports it if it is missing.
fn required_value<T>(
    reader: &mut Reader<'_, '_>,
    key: &'static str,
    kind: GrantKind,
    read: impl FnOnce(&mut Reader<'_, '_>) -> Option<T>,
) -> Option<T> {
    let value = read(reader);
    if value.is_none() {
        report_missing(reader, key, &format!("grant `{}`", kind.as_str()));
    }
    value
}
