//! The fingerprint of all configuration that an upstream's offers depend on. It reveals no secret.

use aws_lc_rs::hmac;

use crate::config::{GrantChoice, OAuth, Resource, TransportChoice, Upstream};

/// The length of a key, in bytes.
pub(crate) const KEY_BYTES: usize = 32;

/// The key of all fingerprints in one folder.
pub(crate) struct FingerprintKey(hmac::Key);

impl FingerprintKey {
    /// Returns a key of these bytes; `None` if there are not [`KEY_BYTES`].
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let is_whole = bytes.len() == KEY_BYTES;
        is_whole.then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// Returns the fingerprint, in hexadecimal digits, of the upstream's address, transport and account.
    ///
    /// Client secrets, keys and assertions do not count, since they may change for the same account. The values
    /// of headers count, since only they distinguish accounts that sign in by header.
    pub(crate) fn config_fingerprint(&self, upstream: &Upstream) -> String {
        let mut digest = Digest(hmac::Context::with_key(&self.0));
        // This URL has its query, unlike the URL in the file.
        digest.add_text(upstream.url.as_url().as_str());
        digest.add_text(transport_name(upstream.transport));
        digest.add_count(upstream.headers.len());
        let mut headers: Vec<_> = upstream.headers.iter().collect();
        // The sort is stable: values of one name stay in their order.
        headers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in headers {
            digest.add_text(name.as_str());
            digest.add_text(value.as_bytes());
        }
        match &upstream.oauth {
            None => digest.add_count(0),
            Some(oauth) => {
                digest.add_count(1);
                digest.add_oauth(oauth);
            }
        }
        let tag = digest.0.sign();
        tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Hashes texts, each after its length: no two sequences of texts give the same bytes.
struct Digest(hmac::Context);

impl Digest {
    fn add_text(&mut self, text: impl AsRef<[u8]>) {
        self.add_count(text.as_ref().len());
        self.0.update(text.as_ref());
    }

    fn add_count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    fn add_all<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.add_count(texts.len());
        texts.for_each(|text| self.add_text(text));
    }

    fn add_oauth(&mut self, oauth: &OAuth) {
        let metadata_url = oauth.client_metadata_url.as_ref().map(url::Url::as_str);
        let resource = match &oauth.resource {
            Resource::Discovered => "auto",
            Resource::Off => "off",
            Resource::Uri(uri) => uri,
        };
        self.add_all(oauth.client_id.as_deref().into_iter());
        self.add_all(metadata_url.into_iter());
        self.add_count(usize::from(oauth.scopes.is_some()));
        let scopes = oauth.scopes.as_deref().unwrap_or_default();
        self.add_all(scopes.iter().map(String::as_str));
        self.add_text(resource);
        self.add_all(oauth.authorization_server.as_deref().into_iter());
        self.add_all(oauth.authorize_params.iter().map(|(name, _)| &**name));
        self.add_all(oauth.authorize_params.iter().map(|(_, value)| &**value));
        match &oauth.grant {
            GrantChoice::AuthorizationCode | GrantChoice::Device => self.add_text("person"),
            GrantChoice::ClientCredentials => self.add_text("client"),
            GrantChoice::JwtBearer { .. } => self.add_text("assertion"),
            GrantChoice::Enterprise(provider) => {
                self.add_text("enterprise");
                self.add_text(&provider.idp_client_id);
                self.add_all(provider.idp_issuer.as_deref().into_iter());
                self.add_text(provider.idp_token_endpoint.as_str());
            }
        }
    }
}

fn transport_name(choice: TransportChoice) -> &'static str {
    match choice {
        TransportChoice::HttpFirst => "http-first",
        TransportChoice::Http => "http",
        TransportChoice::SseFirst => "sse-first",
        TransportChoice::Sse => "sse",
    }
}

#[cfg(test)]
mod tests;
