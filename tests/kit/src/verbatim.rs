//! Calls through a proxy with upstreams of every kind. The messages on both sides are compared byte by
//! byte with those expected for the eras of client and upstream.

use std::sync::{Arc, Mutex};

use super::proxy::{self, Client};
use super::upstream::{self, Builder, Upstream};

/// The members of `_meta` in a modern request, as the proxy writes them.
const META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}"#;

/// The era of a client or of an upstream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Era {
    /// Revisions up to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// Both eras.
pub const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

/// A server that answers each call with a set message, in which `ID` stands for the id.
pub struct Peer {
    /// The name of the upstream and of its only tool.
    pub name: &'static str,
    /// The era of the upstream.
    pub era: Era,
    /// Whether the responses are events, in which CR LF is one line break.
    events: bool,
    reply: Arc<Mutex<String>>,
    /// The last call as received.
    asked: Arc<Mutex<Vec<u8>>>,
    /// The server.
    pub server: Upstream,
}

async fn peer(name: &'static str, era: Era, events: bool, builder: Builder) -> Peer {
    let reply = Arc::new(Mutex::new(String::new()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (response, asks) = (reply.clone(), asked.clone());
    let builder = builder.tool(name).reply_with(move |request| {
        asks.lock().unwrap().clone_from(&request.body);
        let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
        response.lock().unwrap().replacen("ID", &id, 1).into_bytes()
    });
    let server = match events {
        true => builder.sse_replies().start().await,
        false => builder.start().await,
    };
    Peer {
        name,
        era,
        events,
        reply,
        asked,
        server,
    }
}

/// Starts a proxy with an upstream of each kind.
pub async fn with_peers() -> (Vec<Peer>, Client) {
    use Era::{Legacy, Modern};
    let peers = vec![
        peer("legacy_json", Legacy, false, upstream::legacy()).await,
        peer("legacy_events", Legacy, true, upstream::legacy()).await,
        peer("modern_json", Modern, false, upstream::modern()).await,
        peer("modern_events", Modern, true, upstream::modern()).await,
        peer("http_sse", Legacy, true, upstream::http_sse()).await,
    ];
    let mut proxy = proxy::new();
    for peer in &peers {
        proxy = proxy.upstream(peer.name, &peer.server);
    }
    let mut client = proxy.start().await;
    client.initialize().await;
    (peers, client)
}

/// Sends `line`, lets the upstream answer with `reply`, and returns what each side received.
async fn pass(
    client: &mut Client,
    peer: &Peer,
    line: &str,
    id: &str,
    reply: &str,
) -> (String, String) {
    *peer.reply.lock().unwrap() = reply.to_owned();
    let answer = client.exchange(line, id).await;
    let asked = std::mem::take(&mut *peer.asked.lock().unwrap());
    let answer = String::from_utf8(answer).unwrap();
    assert!(!asked.is_empty(), "{} got nothing: {answer}", peer.name);
    (String::from_utf8(asked).unwrap(), answer)
}

/// Returns a call with unusual members, in two forms.
///
/// The client sends the first (with `id`). The upstream must receive the second (with `ID`).
fn call(id: &str, client: Era, peer: &Peer, meta: &str, arguments: &str) -> (String, String) {
    let line = |id: &str, meta: &str| {
        let name = peer.name;
        format!(
            r#"{{ "x-first":1E2,"id": {id} ,"jsonrpc":"2.0","method":"tools\/call","params":{{{meta}"x":[ 0.10],"name":"{name}" ,"arguments":{arguments},"task":{{"ttl":60.0}} }},"x-last":{{}}}}"#
        )
    };
    let (sent, got) = match (client, peer.era, meta) {
        (Era::Legacy, Era::Legacy, "") => (String::new(), String::new()),
        (Era::Legacy, Era::Modern, "") => (String::new(), format!(r#""_meta":{{{META}}},"#)),
        (Era::Legacy, Era::Legacy, own) => {
            let meta = format!(r#""_meta" : {{{own}}} ,"#);
            (meta.clone(), meta)
        }
        (Era::Legacy, Era::Modern, own) => (
            format!(r#""_meta" : {{{own}}} ,"#),
            format!(r#""_meta" : {{{META},{own}}} ,"#),
        ),
        (Era::Modern, Era::Modern, own) => {
            let meta = format!(r#""_meta" : {{{own}{}{META}}} ,"#, comma(own));
            (meta.clone(), meta)
        }
        (Era::Modern, Era::Legacy, own) => (
            format!(r#""_meta" : {{{own}{}{META}}} ,"#, comma(own)),
            format!(r#""_meta" : {{{own}}} ,"#),
        ),
    };
    (line(id, &sent), line("ID", &got))
}

fn comma(before: &str) -> &'static str {
    if before.is_empty() { "" } else { "," }
}

/// Returns a response as the upstream sends it (with `ID`) and as the client must receive it.
fn answer(id: &str, client: Era, peer: &Peer, reply: (&str, &str, &str)) -> (String, String) {
    let (before, result, after) = reply;
    let said = format!("{before}{result}{after}");
    let completed = match (client, peer.era, result.strip_prefix('{')) {
        (Era::Modern, Era::Legacy, Some("}")) => r#"{"resultType":"complete"}"#.to_owned(),
        (Era::Modern, Era::Legacy, Some(rest)) => format!(r#"{{"resultType":"complete",{rest}"#),
        _ => result.to_owned(),
    };
    let got = format!("{before}{completed}{after}").replacen("ID", id, 1);
    let got = match peer.events {
        true => got.replace("\r\n", " "),
        false => got,
    };
    (said, got.trim_end().replace(['\r', '\n'], " "))
}

/// Sends `arguments` (and `meta`, members of `_meta`) and `reply` between a client of either era and each
/// upstream. The second of the three parts of `reply` is its result.
pub async fn assert_passes(
    client: &mut Client,
    peers: &[Peer],
    (what, meta, arguments): (&str, &str, &str),
    reply: (&str, &str, &str),
    id: &str,
) {
    assert!(!peers.is_empty());
    let pairs = ERAS.map(|era| peers.iter().map(move |peer| (era, peer)));
    for (era, peer) in pairs.into_iter().flatten() {
        let (line, asked) = call(id, era, peer, meta, arguments);
        let (said, answered) = answer(id, era, peer, reply);
        let (really_asked, really_answered) = pass(client, peer, &line, id, &said).await;
        let own = id_in(&really_asked);
        let case = format!("{what}: {era:?} client, {}", peer.name);
        assert_same(&really_asked, &asked.replacen("ID", &own, 1), &case);
        assert_same(&really_answered, &answered, &case);
    }
}

/// Returns the id of a call that the proxy forwarded.
fn id_in(asked: &str) -> String {
    let (_, rest) = asked.split_once(r#""id": "#).unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect()
}

/// Panics if the texts differ, without printing megabytes.
pub fn assert_same(found: &str, expected: &str, case: &str) {
    if found != expected {
        let pairs = found.bytes().zip(expected.bytes());
        let at = pairs.take_while(|(a, b)| a == b).count();
        let part = |text: &str| {
            let bytes = &text.as_bytes()[at.saturating_sub(60)..text.len().min(at + 60)];
            String::from_utf8_lossy(bytes).into_owned()
        };
        let (found, expected) = (part(found), part(expected));
        panic!("{case}: differs at {at}:\n found    {found}\n expected {expected}");
    }
}
