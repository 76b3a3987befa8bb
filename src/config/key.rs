//! The keys of an upstream, those inside `oauth`, and the variables of the program: what is known,
//! and what comes close.

/// A name that the configuration knows, with what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The name, as the documentation has it.
    pub name: &'static str,
    /// Other names for it, from the configurations of other clients.
    pub synonyms: &'static [&'static str],
}

const fn known(name: &'static str, synonyms: &'static [&'static str]) -> Known {
    Known { name, synonyms }
}

/// Every key of an upstream, in the order of the documentation.
pub const KEYS: [Known; 17] = [
    known("name", &[]),
    known("url", &["serverUrl", "httpUrl"]),
    known("transport", &["type"]),
    known("include_tools", &["includeTools"]),
    known(
        "ignore_tools",
        &["ignoreTools", "excludeTools", "disabledTools"],
    ),
    known("include_prompts", &["includePrompts"]),
    known("ignore_prompts", &["ignorePrompts", "excludePrompts"]),
    known("include_resources", &["includeResources"]),
    known("ignore_resources", &["ignoreResources", "excludeResources"]),
    known("headers", &[]),
    known("prefix", &[]),
    known("timeout", &[]),
    known("first_byte_timeout", &["firstByteTimeout"]),
    known("max_calls", &["maxCalls"]),
    known("disabled", &[]),
    known("allow_http", &[]),
    known("oauth", &[]),
];

/// Every key inside `oauth`, in the order of the documentation.
pub const OAUTH_KEYS: [Known; 21] = [
    known("client_id", &["clientId"]),
    known("client_secret", &["clientSecret"]),
    known("client_metadata_url", &["clientMetadataUrl"]),
    known("private_key_pem", &["privateKeyPem"]),
    known("signing_algorithm", &["signingAlgorithm"]),
    known("redirect_uri", &["redirectUri"]),
    known("callback_port", &["callbackPort"]),
    known("scopes", &["scope"]),
    known("resource", &[]),
    known("authorization_server", &["authorizationServer"]),
    known("authorize_params", &["authorizeParams"]),
    known("login", &[]),
    known("login_retry", &["loginRetry"]),
    known("pkce", &[]),
    known("grant", &[]),
    known("assertion", &[]),
    known("idp_client_id", &["idpClientId"]),
    known("idp_client_secret", &["idpClientSecret"]),
    known("idp_id_token", &["idpIdToken"]),
    known("idp_issuer", &["idpIssuer"]),
    known("idp_token_endpoint", &["idpTokenEndpoint"]),
];

/// Every variable of the program, in the order of the documentation. `<NAME>` stands for what
/// [`UpstreamName::variable`](super::UpstreamName::variable) makes of an upstream's name.
pub const VARIABLES: [Known; 31] = [
    known("PROXY_UPSTREAMS", &[]),
    known("PROXY_URL", &[]),
    known("PROXY_NAME", &[]),
    known("PROXY_TRANSPORT", &[]),
    known("PROXY_INCLUDE_TOOLS", &[]),
    known("PROXY_IGNORE_TOOLS", &[]),
    known("PROXY_INCLUDE_PROMPTS", &[]),
    known("PROXY_IGNORE_PROMPTS", &[]),
    known("PROXY_INCLUDE_RESOURCES", &[]),
    known("PROXY_IGNORE_RESOURCES", &[]),
    known("PROXY_TIMEOUT", &[]),
    known("PROXY_FIRST_BYTE_TIMEOUT", &[]),
    known("PROXY_CONNECT_TIMEOUT", &[]),
    known("PROXY_KEEP_ALIVE", &[]),
    known("PROXY_STARTUP_WAIT", &[]),
    known("PROXY_CONNECT_WAIT", &[]),
    known("PROXY_MAX_MESSAGE_BYTES", &[]),
    known("PROXY_TOOL_NAME_LENGTH", &[]),
    known("PROXY_INPUT_WAIT", &[]),
    known("PROXY_PARKED_CALLS", &[]),
    known("PROXY_MAX_CALLS", &[]),
    known("PROXY_UPSTREAM_CALLS", &[]),
    known("PROXY_QUEUED_CALLS", &[]),
    known("PROXY_ANSWER_MEMORY", &[]),
    known("PROXY_LOG_RATE", &[]),
    known("PROXY_REMEMBER", &[]),
    known("PROXY_<NAME>_CLIENT_ID", &[]),
    known("PROXY_<NAME>_CLIENT_SECRET", &[]),
    known("MCP_MANIFOLD_HOME", &[]),
    known("DEBUG", &[]),
    known("RUST_LOG", &[]),
];

/// How alike two names must be for one to be a slip of the other (Jaro-Winkler, 0 to 1).
const CLOSE: f64 = 0.85;

/// The name under which a key or one of its synonyms is known.
pub(super) fn canonical(all: &[Known], key: &str) -> Option<&'static str> {
    let is = |known: &&Known| known.name == key || known.synonyms.contains(&key);
    all.iter().find(is).map(|known| known.name)
}

/// The known name that comes closest to one that is not known.
pub(super) fn closest(all: &[Known], name: &str) -> Option<&'static str> {
    let likeness = |known: &Known| {
        let (ours, theirs) = (known.name.to_lowercase(), name.to_lowercase());
        (strsim::jaro_winkler(&ours, &theirs), known.name)
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
    fn a_slip_is_told_from_another_word() {
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
