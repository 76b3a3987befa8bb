//! The ports and their order.

use super::*;
use crate::config::{Config, Environment};

fn place(name: &str, url: &str, configured: Option<&str>) -> RedirectAddress {
    let json = serde_json::json!([{"name": name, "url": url}]).to_string();
    let variables = [("PROXY_UPSTREAMS".to_owned(), json)];
    let config = Config::from_environment(&Environment::from_iter(variables)).unwrap();
    let configured = configured.map(|text| RedirectUri::parse(text).unwrap());
    let upstream = &config.upstreams[0];
    RedirectAddress::new(&upstream.name, &upstream.url, configured.as_ref())
}

fn plain() -> RedirectAddress {
    place("linear", "https://mcp.example.com/mcp", None)
}

#[test]
fn the_ports_of_an_upstream_are_the_same_in_every_run() {
    let first = plain().ports;
    assert_eq!(first, plain().ports);
    assert_eq!(first.len(), 5);
    // A fixed number: a later version must keep the ports that servers have registered.
    assert_eq!(first[0], 51_200);
    let others = [
        place("linear", "https://mcp.example.com/other", None),
        place("notion", "https://mcp.example.com/mcp", None),
    ];
    for other in others {
        assert_ne!(other.ports, first);
    }
}

#[test]
fn every_port_is_unassigned() {
    for number in 0..200 {
        let ports = place(&format!("u{number}"), "https://example.com/", None).ports;
        assert!(ports.iter().all(|port| *port >= 49_152), "{ports:?}");
        let mut steps = ports.windows(2);
        let near = |pair: &[u16]| pair[1] == pair[0] + 1 || pair == [u16::MAX, 49_152];
        assert!(steps.all(near), "{ports:?}");
    }
}

#[test]
fn the_redirect_uri_equals_the_configured_one() {
    let cases = [
        (None, "http://127.0.0.1:5/callback", "/callback"),
        (
            Some("http://localhost:3118/callback"),
            "http://localhost:3118/callback",
            "/callback",
        ),
        (Some("http://[::1]/a/b"), "http://[::1]:5/a/b", "/a/b"),
        (Some("http://127.0.0.1"), "http://127.0.0.1:5", "/"),
    ];
    for (configured, uri, path) in cases {
        let place = place("a", "https://example.com/", configured);
        assert_eq!(place.redirect_uri(5), uri);
        assert_eq!(place.path(), path);
    }
}

#[test]
fn the_registered_port_is_tried_first() {
    let ports = plain().ports;
    let prefer = |uri: &str| plain().prefer(uri).ports;
    let registered = prefer("http://127.0.0.1:50123/callback");
    assert_eq!(registered[0], 50_123);
    assert_eq!(registered[1..], ports);
    let again = prefer(&format!("http://127.0.0.1:{}/callback", ports[2]));
    assert_eq!(again, [ports[2], ports[0], ports[1], ports[3], ports[4]]);
    let others = [
        "http://localhost:50123/callback",
        "http://127.0.0.1:50123/other",
        "http://127.0.0.1/callback",
        "https://example.com:50123/callback",
        "",
    ];
    for other in others {
        assert_eq!(prefer(other), ports, "{other}");
    }
}
