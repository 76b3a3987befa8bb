//! The well-known addresses of metadata, in the order of lookup.

use url::Url;

use crate::config::ServerUrl;
use crate::oauth::address::Issuer;

/// Returns the addresses of an upstream's resource metadata: at its path, then at the root (RFC
/// 9728 § 3.1; order of MCP 2026-07-28 § Protected Resource Metadata Discovery Requirements).
///
/// A URL with a trailing slash is tried as written, then without the slash. The query is omitted:
/// it may contain a key.
#[must_use]
pub fn protected_resource_urls(upstream: &ServerUrl) -> Vec<Url> {
    let path = upstream.as_url().path();
    let trimmed = path.trim_end_matches('/');
    let mut urls = Vec::new();
    for path in [if trimmed.is_empty() { "" } else { path }, trimmed, ""] {
        let url = with_path(
            upstream.as_url(),
            &format!("/.well-known/oauth-protected-resource{path}"),
        );
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Returns the addresses of an authorization server's metadata, in the order of MCP 2026-07-28
/// § Authorization Server Metadata Discovery:
///
/// - OAuth, inserted before the path (RFC 8414 § 3.1)
/// - OpenID Connect, inserted before the path (RFC 8414 § 5)
/// - OpenID Connect, appended to the path (OpenID Connect Discovery 1.0 § 4.1)
#[must_use]
pub fn authorization_server_urls(issuer: &Issuer) -> Vec<Url> {
    let issuer = issuer.as_url();
    // "Any terminating '/' MUST be removed", in both standards.
    let path = issuer.path().trim_end_matches('/');
    let mut paths = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        paths.push(format!("{path}/.well-known/openid-configuration"));
    }
    paths.iter().map(|path| with_path(issuer, path)).collect()
}

/// Returns the URL with another path and without query.
fn with_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_path(path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::address::tests::upstream;

    #[test]
    fn resource_metadata_is_tried_at_the_path_then_at_the_root() {
        let cases: [(&str, &[&str]); 5] = [
            ("https://a.example/public/mcp", &["/public/mcp", ""]),
            ("https://a.example/mcp?key=hunter2", &["/mcp", ""]),
            ("https://a.example/mcp/", &["/mcp/", "/mcp", ""]),
            ("https://a.example", &[""]),
            ("https://a.example/%7Eme%2Fx", &["/%7Eme%2Fx", ""]),
        ];
        for (url, paths) in cases {
            let urls = protected_resource_urls(&upstream(url));
            let expected = paths.iter().map(|path| {
                format!("https://a.example/.well-known/oauth-protected-resource{path}")
            });
            let urls: Vec<_> = urls.iter().map(Url::as_str).collect();
            assert_eq!(urls, expected.collect::<Vec<_>>(), "{url}");
        }
    }

    #[test]
    fn server_metadata_is_tried_in_the_specified_order() {
        let cases: [(&str, &[&str]); 4] = [
            (
                "https://auth.example.com/tenant1",
                &[
                    "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
                    "https://auth.example.com/.well-known/openid-configuration/tenant1",
                    "https://auth.example.com/tenant1/.well-known/openid-configuration",
                ],
            ),
            (
                "https://auth.example.com:8443/a/b/",
                &[
                    "https://auth.example.com:8443/.well-known/oauth-authorization-server/a/b",
                    "https://auth.example.com:8443/.well-known/openid-configuration/a/b",
                    "https://auth.example.com:8443/a/b/.well-known/openid-configuration",
                ],
            ),
            (
                "https://auth.example.com",
                &[
                    "https://auth.example.com/.well-known/oauth-authorization-server",
                    "https://auth.example.com/.well-known/openid-configuration",
                ],
            ),
            (
                "https://auth.example.com/",
                &[
                    "https://auth.example.com/.well-known/oauth-authorization-server",
                    "https://auth.example.com/.well-known/openid-configuration",
                ],
            ),
        ];
        let upstream = upstream("https://a.example/mcp");
        for (issuer, expected) in cases {
            let issuer = Issuer::parse("issuer", issuer, &upstream).unwrap();
            let urls = authorization_server_urls(&issuer);
            let urls: Vec<_> = urls.iter().map(Url::as_str).collect();
            assert_eq!(urls, expected);
        }
    }
}
