//! How tokens are come by, and which keys that needs or does not use.

use super::variables::missing;
use super::{Enterprise, GrantChoice, OAuth, address};
use crate::config::reader::Reader;

/// The ways, before what they need is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    AuthorizationCode,
    Device,
    ClientCredentials,
    JwtBearer,
    Enterprise,
}

/// The words for them; the first one for each is the documented one.
const WORDS: [(&str, Way); 5] = [
    ("authorization_code", Way::AuthorizationCode),
    ("device", Way::Device),
    ("client_credentials", Way::ClientCredentials),
    ("jwt_bearer", Way::JwtBearer),
    ("enterprise", Way::Enterprise),
];

impl Way {
    fn word(self) -> &'static str {
        let word = WORDS.iter().find(|(_, way)| *way == self);
        word.map_or("", |(word, _)| word)
    }

    /// Whether the value of a key can matter.
    fn uses(self, key: &str) -> bool {
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

/// Reads which way it is, and takes out what that does not use.
pub(super) fn way(reader: &mut Reader<'_, '_>) -> Way {
    let before = reader.problems.len();
    let way = reader.word("grant", &WORDS);
    if reader.problems.len() > before {
        return Way::AuthorizationCode;
    }
    let way = way.unwrap_or(Way::AuthorizationCode);
    let keys: Vec<_> = reader.fields.keys().copied().collect();
    for key in keys.into_iter().filter(|key| !way.uses(key)) {
        reader.unused(key, &format!("as `grant` is `{}`", way.word()));
        reader.fields.remove(key);
    }
    way
}

/// Reads what a way needs.
pub(super) fn grant(reader: &mut Reader<'_, '_>, way: Way, oauth: &OAuth) -> Option<GrantChoice> {
    match way {
        Way::AuthorizationCode => Some(GrantChoice::AuthorizationCode),
        Way::Device => Some(GrantChoice::Device),
        Way::ClientCredentials => client_credentials(reader, oauth),
        Way::JwtBearer => {
            let assertion = needed(reader, "assertion", way, |it| it.secret("assertion"))?;
            Some(GrantChoice::JwtBearer { assertion })
        }
        Way::Enterprise => enterprise(reader).map(GrantChoice::Enterprise),
    }
}

fn client_credentials(reader: &mut Reader<'_, '_>, oauth: &OAuth) -> Option<GrantChoice> {
    if oauth.client_id.is_none() {
        missing(reader, "client_id", "grant `client_credentials`");
    }
    let has_key = oauth.private_key.is_some() || reader.is_wrong("private_key_pem");
    if oauth.client_secret.is_none() && !has_key {
        missing(reader, "client_secret", "grant `client_credentials`");
    }
    (!reader.failed).then_some(GrantChoice::ClientCredentials)
}

fn enterprise(reader: &mut Reader<'_, '_>) -> Option<Enterprise> {
    let way = Way::Enterprise;
    let idp_client_id = needed(reader, "idp_client_id", way, |it| it.line("idp_client_id"));
    let idp_id_token = needed(reader, "idp_id_token", way, |it| it.secret("idp_id_token"));
    let idp_token_endpoint = needed(reader, "idp_token_endpoint", way, |it| {
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

/// A value that a way needs; that it is missing is told.
fn needed<T>(
    reader: &mut Reader<'_, '_>,
    key: &'static str,
    way: Way,
    read: impl FnOnce(&mut Reader<'_, '_>) -> Option<T>,
) -> Option<T> {
    let value = read(reader);
    if value.is_none() {
        missing(reader, key, &format!("grant `{}`", way.word()));
    }
    value
}
