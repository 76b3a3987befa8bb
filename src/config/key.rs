//! The known keys of an upstream and of `oauth`, the variables of the program, and the search for
//! similar names.

/// A known key or variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownName {
    /// The documented name.
    pub name: &'static str,
    /// Alternative names, from the configurations of other clients.
    pub synonyms: &'static [&'static str],
}

const fn known_name(name: &'static str, synonyms: &'static [&'static str]) -> KnownName {
    KnownName { name, synonyms }
}

/// Every key of an upstream, in the order of the documentation.
pub const KEYS: [KnownName; 17] = [
    known_name("name", &[]),
    known_name("url", &["serverUrl", "httpUrl"]),
    known_name("transport", &["type"]),
    known_name("include_tools", &["includeTools"]),
    known_name(
        "ignore_tools",
        &["ignoreTools", "excludeTools", "disabledTools"],
    ),
    known_name("include_prompts", &["includePrompts"]),
    known_name("ignore_prompts", &["ignorePrompts", "excludePrompts"]),
    known_name("include_resources", &["includeResources"]),
    known_name("ignore_resources", &["ignoreResources", "excludeResources"]),
    known_name("headers", &[]),
    known_name("prefix", &[]),
    known_name("timeout", &[]),
    known_name("first_byte_timeout", &["firstByteTimeout"]),
    known_name("max_calls", &["maxCalls"]),
    known_name("disabled", &[]),
    known_name("allow_http", &[]),
    known_name("oauth", &[]),
];

/// Every key inside `oauth`, in the order of the documentation.
pub const OAUTH_KEYS: [KnownName; 21] = [
    known_name("client_id", &["clientId"]),
    known_name("client_secret", &["clientSecret"]),
    known_name("client_metadata_url", &["clientMetadataUrl"]),
    known_name("private_key_pem", &["privateKeyPem"]),
    known_name("signing_algorithm", &["signingAlgorithm"]),
    known_name("redirect_uri", &["redirectUri"]),
    known_name("callback_port", &["callbackPort"]),
    known_name("scopes", &["scope"]),
    known_name("resource", &[]),
    known_name("authorization_server", &["authorizationServer"]),
    known_name("authorize_params", &["authorizeParams"]),
    known_name("login", &[]),
    known_name("login_retry", &["loginRetry"]),
    known_name("pkce", &[]),
    known_name("grant", &[]),
    known_name("assertion", &[]),
    known_name("idp_client_id", &["idpClientId"]),
    known_name("idp_client_secret", &["idpClientSecret"]),
    known_name("idp_id_token", &["idpIdToken"]),
    known_name("idp_issuer", &["idpIssuer"]),
    known_name("idp_token_endpoint", &["idpTokenEndpoint"]),
];

/// Every variable of the program, in the order of the documentation. `<NAME>` stands for
/// [`UpstreamName::variable`](super::UpstreamName::variable).
pub const VARIABLES: [KnownName; 31] = [
    known_name("PROXY_UPSTREAMS", &[]),
    known_name("PROXY_URL", &[]),
    known_name("PROXY_NAME", &[]),
    known_name("PROXY_TRANSPORT", &[]),
    known_name("PROXY_INCLUDE_TOOLS", &[]),
    known_name("PROXY_IGNORE_TOOLS", &[]),
    known_name("PROXY_INCLUDE_PROMPTS", &[]),
    known_name("PROXY_IGNORE_PROMPTS", &[]),
    known_name("PROXY_INCLUDE_RESOURCES", &[]),
    known_name("PROXY_IGNORE_RESOURCES", &[]),
    known_name("PROXY_TIMEOUT", &[]),
    known_name("PROXY_FIRST_BYTE_TIMEOUT", &[]),
    known_name("PROXY_CONNECT_TIMEOUT", &[]),
    known_name("PROXY_KEEP_ALIVE", &[]),
    known_name("PROXY_STARTUP_WAIT", &[]),
    known_name("PROXY_CONNECT_WAIT", &[]),
    known_name("PROXY_MAX_MESSAGE_BYTES", &[]),
    known_name("PROXY_TOOL_NAME_LENGTH", &[]),
    known_name("PROXY_INPUT_WAIT", &[]),
    known_name("PROXY_PARKED_CALLS", &[]),
    known_name("PROXY_MAX_CALLS", &[]),
    known_name("PROXY_UPSTREAM_CALLS", &[]),
    known_name("PROXY_QUEUED_CALLS", &[]),
    known_name("PROXY_ANSWER_MEMORY", &[]),
    known_name("PROXY_LOG_RATE", &[]),
    known_name("PROXY_REMEMBER", &[]),
    known_name("PROXY_<NAME>_CLIENT_ID", &[]),
    known_name("PROXY_<NAME>_CLIENT_SECRET", &[]),
    known_name("MCP_MANIFOLD_HOME", &[]),
    known_name("DEBUG", &[]),
    known_name("RUST_LOG", &[]),
];

/// The similarity above which one name may be a misspelling of another (Jaro-Winkler, 0 to 1).
const CLOSE: f64 = 0.85;

/// The documented name of a key or synonym.
pub(super) fn canonical(all: &[KnownName], key: &str) -> Option<&'static str> {
    let is = |known: &&KnownName| known.name == key || known.synonyms.contains(&key);
    all.iter().find(is).map(|known| known.name)
}

/// The known name that is most similar to an unknown one.
pub(super) fn closest(all: &[KnownName], name: &str) -> Option<&'static str> {
    let likeness = |known: &KnownName| {
        let (known_lower, lower) = (known.name.to_lowercase(), name.to_lowercase());
        (strsim::jaro_winkler(&known_lower, &lower), known.name)
    };
    let close = all.iter().map(likeness).filter(|(like, _)| *like >= CLOSE);
    close
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_matched_and_another_word_is_not() {
        let cases = [
            ("include_tool", Some("include_tools")),
            ("ignoreTool", Some("ignore_tools")),
            ("include_prompt", Some("include_prompts")),
            ("ignore_resource", Some("ignore_resources")),
            ("URL", Some("url")),
            ("header", Some("headers")),
            ("trasnport", Some("transport")),
            ("time_out", Some("timeout")),
            ("first_byte_timout", Some("first_byte_timeout")),
            ("description", None),
            ("autoApprove", None),
            ("env", None),
        ];
        for (key, expected) in cases {
            assert_eq!(closest(&KEYS, key), expected, "{key}");
        }
        let inside = [
            ("client_ids", Some("client_id")),
            ("authorize_param", Some("authorize_params")),
            ("redirect_url", Some("redirect_uri")),
            ("audience", None),
        ];
        for (key, expected) in inside {
            assert_eq!(closest(&OAUTH_KEYS, key), expected, "{key}");
        }
    }
}
