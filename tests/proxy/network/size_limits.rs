//! Answers that are small on the wire and large in memory.

use serde_json::json;

use crate::network::failure;
use testkit::raw::{Reply, Request};
use testkit::{proxy, upstream};

/// What may pass, and what the bombs hold: so much that it would show.
const LIMIT: usize = 1 << 20;
const INSIDE: usize = 512 << 20;

/// Zeros in gzip (RFC 1952) as one fixed block (RFC 1951 § 3.2.6): a byte, and then again and again
/// "258 times the last one", 13 bits each. Without its checksum, which is not come to.
fn gzip() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(1, 1);
    bits.push(1, 2);
    bits.push_code(0x30, 8);
    for _ in 0..INSIDE / 258 {
        // Length 258 is code 285, distance 1 is code 0.
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    bits.push_code(0, 7);
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.extend(bits.bytes);
    file
}

/// The same in Zstandard (RFC 8878): blocks that say what to repeat, 128 KiB each.
fn zstd() -> Vec<u8> {
    let mut file = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
    for _ in 0..INSIDE >> 17 {
        let header: u32 = (1 << 17) << 3 | 1 << 1;
        file.extend(&header.to_le_bytes()[..3]);
        file.push(0);
    }
    file
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    /// The lowest bits, the lowest first.
    fn push(&mut self, value: u32, count: u32) {
        for at in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> at & 1) as u8;
            *self.bytes.last_mut().unwrap() |= bit << (self.used % 8);
            self.used += 1;
        }
    }

    /// A Huffman code, the highest bit first.
    fn push_code(&mut self, code: u32, count: u32) {
        for at in (0..count).rev() {
            self.push(code >> at, 1);
        }
    }
}

fn packed(request: &Request) -> Option<Reply> {
    if !request.is("tools/call") {
        return None;
    }
    let tool = request.tool();
    let (how, kind) = tool.split_once('_')?;
    let bomb = match how {
        "gzip" => gzip(),
        _ => zstd(),
    };
    let kind = match kind {
        "json" => "application/json",
        _ => "text/event-stream",
    };
    let reply = Reply::status(200).header("content-type", kind);
    Some(reply.header("content-encoding", how).body(bomb))
}

const TOOLS: [&str; 4] = ["gzip_json", "zstd_json", "gzip_events", "zstd_events"];

/// The most memory that a process has held, in bytes.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn what_a_bomb_holds_counts_while_it_is_unpacked() {
    let server = TOOLS
        .iter()
        .fold(upstream::modern(), |kind, name| kind.tool(name));
    let server = server.intercept(packed).start_tls().await;
    let mut client = proxy::new()
        .upstream("a", &server)
        .env("SSL_CERT_FILE", server.authority().to_str().unwrap())
        .env("PROXY_MAX_MESSAGE_BYTES", LIMIT.to_string())
        .start()
        .await;
    client.initialize().await;
    assert_eq!(client.tool_names().await.len(), TOOLS.len());
    #[cfg(target_os = "linux")]
    let before = peak(client.pid());
    for tool in TOOLS {
        let failed = client.call(tool, json!({})).await;
        let (code, outcome, text) = failure(&failed);
        assert_eq!((code, outcome), (-31007, "unknown"), "{tool}: {text}");
        assert!(text.contains("PROXY_MAX_MESSAGE_BYTES"), "{tool}: {text}");
    }
    #[cfg(target_os = "linux")]
    {
        // The windows of the algorithms, up to 8 MiB, come on top of the limit.
        let grown = peak(client.pid()) - before;
        assert!(grown < 64 << 20, "{grown} bytes");
    }
}

#[tokio::test]
async fn unrequested_compression_is_reported_as_such() {
    let server = TOOLS
        .iter()
        .fold(upstream::legacy(), |kind, name| kind.tool(name));
    let server = server.intercept(packed).start().await;
    let mut client = proxy::before(&server).await;
    for tool in TOOLS {
        let failed = client.call(tool, json!({})).await;
        let (code, outcome, text) = failure(&failed);
        assert_eq!((code, outcome), (-31006, "unknown"), "{tool}: {text}");
        let how = tool.split('_').next().unwrap();
        let told = format!("compressed as `{how}`, which was not asked for");
        assert!(text.contains(&told), "{tool}: {text}");
    }
}
