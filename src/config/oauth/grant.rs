//! How tokens are come by, and which keys that needs or does not use.

use super::variables::{id_variable, secret_variable};
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

impl Reader<'_, '_> {
    /// Reads which way it is, and takes out what that does not use.
    pub(super) fn way(&mut self) -> Way {
        let before = self.problems.len();
        let way = self.word("grant", &WORDS);
        if self.problems.len() > before {
            return Way::AuthorizationCode;
        }
        let way = way.unwrap_or(Way::AuthorizationCode);
        let keys: Vec<_> = self.fields.keys().copied().collect();
        for key in keys.into_iter().filter(|key| !way.uses(key)) {
            self.unused(key, &format!("as `grant` is `{}`", way.word()));
            self.fields.remove(key);
        }
        way
    }

    /// Reads what a way needs.
    pub(super) fn grant(&mut self, way: Way, oauth: &OAuth) -> Option<GrantChoice> {
        match way {
            Way::AuthorizationCode => Some(GrantChoice::AuthorizationCode),
            Way::Device => Some(GrantChoice::Device),
            Way::ClientCredentials => self.client_credentials(oauth),
            Way::JwtBearer => {
                let assertion = self.needed("assertion", way, |it| it.secret("assertion"))?;
                Some(GrantChoice::JwtBearer { assertion })
            }
            Way::Enterprise => self.enterprise().map(GrantChoice::Enterprise),
        }
    }

    fn client_credentials(&mut self, oauth: &OAuth) -> Option<GrantChoice> {
        if oauth.client_id.is_none() {
            self.missing("client_id", "grant `client_credentials`");
        }
        let has_key = oauth.private_key.is_some() || self.is_wrong("private_key_pem");
        if oauth.client_secret.is_none() && !has_key {
            self.missing("client_secret", "grant `client_credentials`");
        }
        (!self.failed).then_some(GrantChoice::ClientCredentials)
    }

    fn enterprise(&mut self) -> Option<Enterprise> {
        let way = Way::Enterprise;
        let idp_client_id = self.needed("idp_client_id", way, |it| it.line("idp_client_id"));
        let idp_id_token = self.needed("idp_id_token", way, |it| it.secret("idp_id_token"));
        let idp_token_endpoint = self.needed("idp_token_endpoint", way, |it| {
            it.expanded("idp_token_endpoint", address::secure)
        });
        let (idp_client_secret, idp_issuer) =
            (self.secret("idp_client_secret"), self.line("idp_issuer"));
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
        &mut self,
        key: &'static str,
        way: Way,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let value = read(self);
        if value.is_none() {
            self.missing(key, &format!("grant `{}`", way.word()));
        }
        value
    }

    /// Whether a key is written and, as far as is known, was told to be wrong.
    fn is_wrong(&self, key: &str) -> bool {
        self.failed && self.fields.contains_key(key)
    }

    /// Says that a key is missing, unless it is there but wrong, which has been told.
    pub(super) fn missing(&mut self, key: &'static str, by: &str) {
        if self.is_wrong(key) {
            return;
        }
        let variable = match (key, &self.name) {
            ("client_id", Some(name)) => Some(id_variable(name)),
            ("client_secret", Some(name)) => Some(secret_variable(name)),
            _ => None,
        };
        let or = match (key, variable) {
            ("client_secret", Some(variable)) => {
                format!(", set `{variable}`, or add `private_key_pem`")
            }
            (_, Some(variable)) => format!(", or set `{variable}`"),
            (_, None) => String::new(),
        };
        let place = self.place.clone();
        self.error(
            Some(key),
            place,
            format!("is missing, and {by} needs it; add it{or}"),
        );
    }

    /// Says that a key that is written is not used.
    pub(super) fn unused(&mut self, key: &'static str, why: &str) {
        if let Some((place, _)) = self.field(key) {
            self.warn(
                Some(key),
                place,
                format!("is not used, {why}; leave it out"),
            );
        }
    }
}
