//! The client's lines reach their upstream whole, however long and in whatever pieces they arrive.

use std::sync::Arc;

use testkit::proxy::{self, Client};
use testkit::raw::Reply;
use testkit::upstream::{self, Builder, Upstream};

/// The length of the longest line, in bytes. Unoptimized code takes seconds for longer ones.
const LONGEST: usize = 16 << 20;

async fn start_echo() -> (Upstream, Client) {
    let server = upstream::legacy().tool("echo").reply_with(|request| {
        let arguments = String::from_utf8(request.argument_bytes().unwrap()).unwrap();
        format!(r#"{{"echo":{arguments}}}"#).into_bytes()
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    (server, client)
}

fn call(id: impl std::fmt::Display) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"é":{id}}}}}}}"#
    )
}

fn expected_response(id: impl std::fmt::Display) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"echo":{{"é":{id}}}}}}}"#)
}

#[tokio::test]
async fn many_lines_in_one_write_are_many_messages() {
    let (server, mut client) = start_echo().await;
    let lines: Vec<_> = (100..400).map(|id| call(id) + "\n").collect();
    client.send_bytes(lines.concat().as_bytes()).await;
    for id in 100..400 {
        let line = client.answer_to(&id.to_string()).await;
        assert_eq!(String::from_utf8(line).unwrap(), expected_response(id));
    }
    assert_eq!(server.calls().len(), 300);
}

#[tokio::test]
async fn one_line_in_many_writes_is_one_message() {
    let (server, mut client) = start_echo().await;
    // Cut the line at each byte, also inside a character and before the line break.
    let line = call(100);
    for cut in 0..=line.len() {
        // One write is read at once, so the pong means that the start of the line was read too.
        let ping = format!(r#"{{"jsonrpc":"2.0","id":"p{cut}","method":"ping"}}"#);
        let (start, rest) = line.as_bytes().split_at(cut);
        client
            .send_bytes(&[ping.as_bytes(), b"\n", start].concat())
            .await;
        client.answer_to(&format!(r#""p{cut}""#)).await;
        client.send_line(rest).await;
        let response = client.answer_to("100").await;
        assert_eq!(
            String::from_utf8(response).unwrap(),
            expected_response(100),
            "{cut}"
        );
    }
    assert_eq!(server.calls().len(), line.len() + 1);
}

#[tokio::test]
async fn blank_lines_and_space_around_a_message_are_ignored() {
    let (server, mut client) = start_echo().await;
    let before = client.received().len();
    let lines = [
        "\n\n\r\n \n\t\r\n".to_owned(),
        format!("{}\r\n", call(100)),
        format!(" \t{} \r\r\n\n", call(101)),
        format!("\u{feff}{}\n", call(102)),
    ];
    client.send_bytes(lines.concat().as_bytes()).await;
    for id in [100, 101, 102] {
        let line = client.answer_to(&id.to_string()).await;
        assert_eq!(String::from_utf8(line).unwrap(), expected_response(id));
    }
    let mut forwarded = server.calls();
    forwarded.sort_by_key(|body| body.iter().rposition(|byte| *byte == b'1'));
    assert!(
        forwarded
            .iter()
            .all(|body| body.starts_with(b"{\"") && body.ends_with(b"}}}"))
    );
    assert!(client.close().await.success());
    assert_eq!(
        client.received().len(),
        before + 3,
        "{:?}",
        client.received()
    );
}

#[tokio::test]
async fn last_line_without_a_line_break_is_served() {
    let (_server, mut client) = start_echo().await;
    let ping = br#"{"jsonrpc":"2.0","id":"last","method":"ping"}"#;
    client.send_bytes(ping).await;
    client.close_stdin();
    let response = client.answer_to(r#""last""#).await;
    assert_eq!(response, br#"{"jsonrpc":"2.0","id":"last","result":{}}"#);
    assert!(client.wait().await.success());
}

#[tokio::test]
async fn invalid_line_is_rejected_and_the_next_call_is_forwarded() {
    let (_server, mut client) = start_echo().await;
    let invalid: [(&[u8], &str, i64); 8] = [
        (b"{", "", -32700),
        (b"\xff\xfe", "", -32700),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\"}",
            "",
            -32700,
        ),
        (b"{\"id\":1}}", "", -32700),
        (b"nonsense", "", -32700),
        (br#"{"id":"a\u0062"}"#, r#""id":"a\u0062","#, -32600),
        (
            br#"{"jsonrpc":"2.0","id":7.0,"method":1}"#,
            r#""id":7.0,"#,
            -32600,
        ),
        (b"[]", "", -32600),
    ];
    for (line, id, code) in invalid {
        client.send_line(line).await;
        let rejection = String::from_utf8(client.next_line().await).unwrap();
        let text = String::from_utf8_lossy(line);
        let start = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":{code},"#);
        assert!(rejection.starts_with(&start), "{text}: {rejection}");
        let line = client.exchange(call(100), "100").await;
        assert_eq!(String::from_utf8(line).unwrap(), expected_response(100));
    }
    client.assert_every_line_is_json_rpc();
}

/// Adds a tool whose long calls get the result `text`. Only their first bytes are read, since parsing
/// takes seconds.
fn answer_long_calls(text: Arc<str>, events: bool, builder: Builder) -> Builder {
    builder.tool("echo").intercept(move |request| {
        if request.body.len() < LONGEST {
            return None;
        }
        let start = String::from_utf8_lossy(&request.body[..60]).into_owned();
        let id = start.split_once(r#""id":"#)?.1.split(',').next()?;
        let response = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"{text}"}}"#);
        Some(match events {
            true => Reply::sse([format!("data: {response}\n\n")]),
            false => Reply::json(response),
        })
    })
}

#[tokio::test]
async fn line_of_16_mib_passes_in_both_directions() {
    let long = "0123456789abcdef".repeat(1024) + r"é\n";
    let long: Arc<str> = long.repeat(LONGEST / long.len() + 1).into();
    for (events, builder) in [(false, upstream::legacy()), (true, upstream::modern())] {
        let server = answer_long_calls(long.clone(), events, builder)
            .start()
            .await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize().await;
        let rest =
            format!(r#","method":"tools/call","params":{{"name":"echo","arguments":"{long}"}}}}"#);
        client
            .send_line(format!(r#"{{"jsonrpc":"2.0","id":"x"{rest}"#))
            .await;
        let line = client.next_line().await;
        let response = format!(r#"{{"jsonrpc":"2.0","id":"x","result":"{long}"}}"#);
        assert!(
            line == response.as_bytes(),
            "{}",
            String::from_utf8_lossy(&line[..line.len().min(300)])
        );
        let forwarded = server.raw.requests().pop().unwrap().body;
        let arguments = format!(r#""arguments":"{long}"}}}}"#);
        assert!(forwarded.ends_with(arguments.as_bytes()));
    }
}
