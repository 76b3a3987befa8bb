//! A token server with one rule: a refresh token is valid for one use.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use super::child::GUARD;

/// The requests that the server received.
#[derive(Default)]
pub(crate) struct Exchanges {
    /// The number of renewed tokens.
    pub(crate) renewed: u64,
    /// Received tokens that were not the last one issued.
    pub(crate) reused: Vec<String>,
}

/// Starts a server for this many callers. The first token is `r0`.
pub(crate) fn start(callers: usize) -> (SocketAddr, Arc<Mutex<Exchanges>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<Mutex<Exchanges>>::default();
    let barrier = Arc::new(Barrier::new(callers));
    let shared = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming().take(callers) {
            let (stream, barrier, seen) = (stream.unwrap(), barrier.clone(), shared.clone());
            thread::spawn(move || serve(&stream, &barrier, &seen));
        }
    });
    (address, seen)
}

fn serve(mut stream: &TcpStream, barrier: &Barrier, seen: &Mutex<Exchanges>) {
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let answer = if line == "wait" {
            barrier.wait();
            "go".to_owned()
        } else {
            let mut seen = seen.lock().unwrap();
            if line != format!("r{}", seen.renewed) {
                seen.reused.push(line);
            }
            seen.renewed += 1;
            format!("r{}", seen.renewed)
        };
        writeln!(stream, "{answer}").unwrap();
    }
}

/// A connection to the token server.
pub(crate) struct Caller(BufReader<TcpStream>);

impl Caller {
    pub(crate) fn connect(authority: SocketAddr) -> Self {
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Waits until all callers have reached this point.
    pub(crate) fn wait_for_the_others(&mut self) {
        self.exchange("wait");
    }

    /// Exchanges a refresh token for the next one.
    pub(crate) fn refresh(&mut self, token: &str) -> String {
        self.exchange(token)
    }

    fn exchange(&mut self, question: &str) -> String {
        writeln!(self.0.get_ref(), "{question}").unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        assert!(
            answer.ends_with('\n'),
            "the token server closed the connection"
        );
        answer.trim_end().to_owned()
    }
}
