//! Parses the head of a request, and decides whether to accept it.

use url::Host;

use super::page::rejection;
use crate::oauth::login::response::AuthorizationResponse;

/// The most headers of a request: browsers send about twenty.
const MAX_HEADERS: usize = 100;

/// The decision on a request.
pub(super) enum CallbackVerdict {
    /// Accept the authorization response.
    Accepted(AuthorizationResponse),
    /// Send this HTTP response.
    Rejected(Vec<u8>),
}

/// Returns the end of a complete head. The first `seen` bytes were searched before.
pub(super) fn find_end(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    let mut lines = memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at + 1);
    lines.find_map(|next| match bytes.get(next..)? {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

/// Returns `false` for bytes that cannot begin an HTTP request, such as TLS.
pub(super) fn may_be_http(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(u8::is_ascii_uppercase)
}

/// Decides on a complete head.
pub(super) fn judge(head: &[u8], path: &str) -> CallbackVerdict {
    match parse_response(head, path) {
        Ok(response) => CallbackVerdict::Accepted(response),
        Err(refusal) => CallbackVerdict::Rejected(refusal),
    }
}

fn parse_response(head: &[u8], path: &str) -> Result<AuthorizationResponse, Vec<u8>> {
    let bad = || rejection("400 Bad Request", "This is not an HTTP request.");
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return Err(bad());
    }
    let (method, target) = (request.method.unwrap_or(""), request.path.unwrap_or(""));
    let mut hosts = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"));
    let (host, second) = (hosts.next(), hosts.next());
    // A foreign name that resolves to loopback would let its page send requests here (DNS
    // rebinding).
    if second.is_some() || !host.is_some_and(|host| is_loopback(host.value)) {
        let text = "This is the address of another computer.";
        return Err(rejection("421 Misdirected Request", text));
    }
    let (there, query) = match target.split_once('?') {
        Some((there, query)) => (there, Some(query)),
        None => (target, None),
    };
    if there != path {
        return Err(rejection(
            "404 Not Found",
            "There is nothing at this address.",
        ));
    }
    if method != "GET" {
        // Programs that preview pages send HEAD: they must not consume the code.
        let text = "The browser must return from the sign-in with a GET request.";
        let mut reply = rejection("405 Method Not Allowed", text);
        if method == "HEAD" {
            let body = find_end(&reply, 0).unwrap_or(reply.len());
            reply.truncate(body);
        }
        return Err(reply);
    }
    let response = AuthorizationResponse::from_query(query.unwrap_or_default());
    response.map_err(|_| {
        let text = "The response to the sign-in is missing. Sign in again.";
        rejection("400 Bad Request", text)
    })
}

/// Returns `true` if `Host` is a loopback name or address. Any port is allowed, for port
/// forwarding.
fn is_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    match Host::parse(name) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}
