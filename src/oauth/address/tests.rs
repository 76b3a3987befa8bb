//! Valid addresses, and those of a hostile document.

use proptest::prelude::*;

use super::*;
use crate::config::{Config, Environment};

/// Returns an upstream URL as parsed from the configuration.
pub(in crate::oauth) fn upstream(url: &str) -> ServerUrl {
    let json = serde_json::json!([{"name": "a", "url": url, "allow_http": true}]);
    let variables = [("PROXY_UPSTREAMS".to_owned(), json.to_string())];
    let config = Config::from_environment(&Environment::from_iter(variables)).unwrap();
    config.upstreams[0].url.clone()
}

/// Returns the fault of an address in a document of the upstream `from`.
fn fault(text: &str, from: &str) -> Option<&'static str> {
    let checked = EndpointUrl::parse("authorization_endpoint", text, &upstream(from));
    match checked {
        Ok(_) => None,
        Err(DiscoveryError::Address { fault, .. }) => Some(fault),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_address_is_https_or_on_the_same_machine() {
    let (public, local) = ("https://mcp.example.com/mcp", "http://localhost:1/mcp");
    let good = [
        (
            "https://auth.example.com/authorize?tenant=a%20b&x=1",
            public,
        ),
        ("HTTPS://Auth.Example.com:8443/", public),
        ("https://8.8.8.8/", public),
        ("https://[2606:4700::1111]/", public),
        ("http://127.0.0.1:8080/authorize", local),
        ("http://[::1]:8080/authorize", local),
        ("https://auth.example.com/", local),
        ("https://10.0.0.7/authorize", "https://10.0.0.5/mcp"),
    ];
    for (text, from) in good {
        assert_eq!(fault(text, from), None, "{text}");
    }
    let clear = Some("which is not https and would send secrets in the clear");
    for (text, from) in [
        ("http://auth.example.com/", public),
        ("http://auth.example.com/", local),
        ("http://127.0.0.1/", public),
        ("http://10.0.0.5/", "http://10.0.0.5/mcp"),
        ("http://127.0.0.1.example.com/", local),
    ] {
        assert_eq!(fault(text, from), clear, "{text}");
    }
    let private = Some("a loopback or private address, which a public server must not name");
    for host in [
        "localhost",
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00::1]",
        "[fe80::1]",
    ] {
        assert_eq!(
            fault(&format!("https://{host}/"), public),
            private,
            "{host}"
        );
    }
}

#[test]
fn no_unsafe_address_passes() {
    let cases = [
        "",
        "/authorize",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "ms-msdt:/id",
        "a:$(cmd.exe /c whoami > c:\\temp\\pwned.txt)",
        "https:auth.example.com/",
        "https:/auth.example.com/",
        "https:///auth.example.com/",
        "https://",
        "https://?x",
        "https://auth.example.com/$(calc.exe)",
        "https://auth.example.com/a b",
        "https://auth.example.com/\"&calc&\"",
        "https://auth.example.com/';calc;'",
        "https://auth.example.com/`id`",
        "https://auth.example.com/|calc",
        "https://auth.example.com/<script>",
        "https://auth.example.com/^&",
        "https://auth.example.com/{a}",
        "https://auth.example.com\\@evil.example/",
        "https://auth.example.com/\r\nx: y",
        "https://auth.example.com/\t",
        "https://auth.example.com/\0",
        "https://auth.example.com/\u{1b}[2J",
        "https://auth.example.com/\u{202e}",
        "https://\u{430}uth.example.com/",
        " https://auth.example.com/",
        "https://me:secret@auth.example.com/",
        "https://auth.example.com@evil.example/",
        "https://auth.example.com/#x",
        "https://auth.example.com:99999/",
        "https://[::1/",
    ];
    for text in cases {
        assert!(
            fault(text, "https://mcp.example.com/mcp").is_some(),
            "{text:?}"
        );
    }
    let long = format!("https://auth.example.com/{}", "a".repeat(MAX_LENGTH));
    let fault = fault(&long, "https://mcp.example.com/mcp");
    assert_eq!(fault, Some("which is too long for an address"));
}

#[test]
fn an_issuer_is_compared_as_written() {
    let upstream = upstream("https://mcp.example.com/mcp");
    let issuer = |text| Issuer::parse("issuer", text, &upstream).unwrap();
    let plain = issuer("https://auth.example.com");
    assert_eq!(plain, issuer("https://auth.example.com"));
    for other in [
        "https://auth.example.com/",
        "https://AUTH.example.com",
        "https://auth.example.com:443",
    ] {
        assert_ne!(plain, issuer(other));
        assert_eq!(issuer(other).as_str(), other);
    }
    for bad in ["https://auth.example.com?x=1", "https://auth.example.com#x"] {
        assert!(Issuer::parse("issuer", bad, &upstream).is_err(), "{bad}");
    }
}

#[test]
fn a_resource_matches_the_upstream_or_a_parent_path() {
    let from = "https://mcp.example.com/public/mcp?v=1";
    let cases = [
        ("https://mcp.example.com/public/mcp", true),
        ("https://mcp.example.com/public/mcp/", true),
        ("https://mcp.example.com/public/mcp?v=1", true),
        ("https://mcp.example.com/public/", true),
        ("https://mcp.example.com", true),
        ("HTTPS://MCP.example.com:443/", true),
        ("https://mcp.example.com/public/mcp?v=2", false),
        ("https://mcp.example.com/pub", false),
        ("https://mcp.example.com/public/mcp/x", false),
        ("https://mcp.example.com/other/../x", false),
        ("https://mcp.example.com:8443/public/mcp", false),
        ("http://mcp.example.com/public/mcp", false),
        ("https://evil.example.com/public/mcp", false),
        ("https://mcp.example.com.evil.example/", false),
        ("https://mcp.example.com/#x", false),
        ("mcp.example.com", false),
        ("", false),
    ];
    for (resource, expected) in cases {
        assert_eq!(
            resource_matches(resource, &upstream(from)),
            expected,
            "{resource}"
        );
    }
}

#[test]
fn a_canonical_resource_has_no_query_or_trailing_slash() {
    let cases = [
        (
            "https://MCP.example.com/mcp?key=1#x",
            "https://mcp.example.com/mcp",
        ),
        ("https://mcp.example.com", "https://mcp.example.com"),
        (
            "https://mcp.example.com:8443/",
            "https://mcp.example.com:8443",
        ),
        (
            "https://mcp.example.com:443/a/",
            "https://mcp.example.com/a",
        ),
    ];
    for (url, expected) in cases {
        assert_eq!(canonical_resource(&upstream(url)), expected);
    }
}

#[test]
fn printed_addresses_have_no_query_or_control_characters() {
    let upstream = upstream("https://mcp.example.com/mcp");
    let url = EndpointUrl::parse("x", "https://a.example/b?key=hunter2", &upstream).unwrap();
    assert_eq!(
        format!("{url} {url:?}"),
        "https://a.example/b EndpointUrl(https://a.example/b)"
    );
    let error = EndpointUrl::parse("token_endpoint", "file:\u{1b}[2J`x`", &upstream);
    assert_eq!(
        error.unwrap_err().to_string(),
        "`token_endpoint` is `file:?[2J?x?`, which contains characters that no address needs; \
         report this to the server's operator"
    );
}

proptest! {
    #[test]
    fn an_accepted_address_is_plain_and_stable(text in "(https?:/{0,3}|file:)?[!-~ é]{0,30}") {
        let upstream = upstream("http://localhost/mcp");
        if let Ok(url) = EndpointUrl::parse("x", &text, &upstream) {
            let written = url.as_url().as_str();
            prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{written}");
            prop_assert!(!written.contains(['"', '\'', '`', '$', '\\', '<', '>', '|', '^']), "{written}");
            prop_assert_eq!(EndpointUrl::parse("x", written, &upstream).unwrap(), url);
        }
    }
}
