//! Decompression bombs: responses that are small on the wire and large in memory.

use serde_json::json;

use crate::network::failure;
use testkit::raw::{Reply, Request};
use testkit::{proxy, upstream};

/// The configured limit in bytes.
const LIMIT: usize = 1 << 20;
/// The decompressed size in bytes. Holding it would show in the peak memory.
const DECOMPRESSED: usize = 512 << 20;

/// Returns zeros in gzip (RFC 1952) as one fixed block (RFC 1951 § 3.2.6): one byte, then copies of 258 bytes
/// in 13 bits each. The checksum is left out: no reader reaches it.
fn gzip() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(1, 1);
    bits.push(1, 2);
    bits.push_code(0x30, 8);
    for _ in 0..DECOMPRESSED / 258 {
        // Length 258 is code 285, distance 1 is code 0.
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    bits.push_code(0, 7);
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.extend(bits.bytes);
    file
}

/// Returns zeros in Zstandard (RFC 8878): run-length blocks of 128 KiB each.
fn zstd() -> Vec<u8> {
    let mut file = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
    for _ in 0..DECOMPRESSED >> 17 {
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
    /// Appends the lowest `count` bits, lowest first.
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

    /// Appends a Huffman code, highest bit first.
    fn push_code(&mut self, code: u32, count: u32) {
        for at in (0..count).rev() {
            self.push(code >> at, 1);
        }
    }
}

fn compressed_bomb(request: &Request) -> Option<Reply> {
    if !request.is("tools/call") {
        return None;
    }
    let tool = request.tool();
    let (encoding, kind) = tool.split_once('_')?;
    let bomb = match encoding {
        "gzip" => gzip(),
        _ => zstd(),
    };
    let kind = match kind {
        "json" => "application/json",
        _ => "text/event-stream",
    };
    let reply = Reply::status(200).header("content-type", kind);
    Some(reply.header("content-encoding", encoding).body(bomb))
}

const TOOLS: [&str; 4] = ["gzip_json", "zstd_json", "gzip_events", "zstd_events"];

/// Returns the peak resident memory of a process, in bytes.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn decompressed_size_is_limited_during_decompression() {
    let server = TOOLS
        .iter()
        .fold(upstream::modern(), |kind, name| kind.tool(name));
    let server = server.intercept(compressed_bomb).start_tls().await;
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
        // The windows of the algorithms need up to 8 MiB more.
        let grown = peak(client.pid()) - before;
        assert!(grown < 64 << 20, "{grown} bytes");
    }
}

#[tokio::test]
async fn unrequested_compression_is_reported_as_such() {
    let server = TOOLS
        .iter()
        .fold(upstream::legacy(), |kind, name| kind.tool(name));
    let server = server.intercept(compressed_bomb).start().await;
    let mut client = proxy::before(&server).await;
    for tool in TOOLS {
        let failed = client.call(tool, json!({})).await;
        let (code, outcome, text) = failure(&failed);
        assert_eq!((code, outcome), (-31006, "unknown"), "{tool}: {text}");
        let encoding = tool.split('_').next().unwrap();
        let message = format!("compressed as `{encoding}`, which was not requested");
        assert!(text.contains(&message), "{tool}: {text}");
    }
}
