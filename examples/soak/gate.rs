//! A gate in front of a server that simulates network faults: bytes pass, except in a fault mode.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::lock;

/// The maximum delay of each chunk in a slow gate, in milliseconds.
const SLOWEST: u64 = 150;

/// How the gate handles bytes. All modes but `Refuse` affect every other connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Open,
    /// New connections are refused, and existing ones are reset.
    Refuse,
    /// Resets when the client sends bytes, which the server never receives.
    ResetBefore,
    /// Resets when the server responds.
    ResetAfter,
    /// Passes a part of the response, and closes.
    CutReply,
    /// Passes nothing, and resets when the mode ends.
    Hang,
    /// Delays every chunk.
    Slow,
}

/// A gate in front of a server, which can be replaced.
pub(crate) struct Gate {
    address: SocketAddr,
    /// Never listens; reserves the port while the gate is closed.
    _reserved: TcpSocket,
    mode: watch::Sender<Mode>,
    backend: watch::Sender<SocketAddr>,
    rng: Mutex<Rng>,
}

impl Gate {
    /// Opens a gate in front of `backend`, on a port that the system chooses.
    pub(crate) fn open(backend: SocketAddr, seed: u64) -> Result<Arc<Self>> {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = listener.local_addr()?;
        let gate = Arc::new(Self {
            address,
            _reserved: bind(address)?,
            mode: watch::Sender::new(Mode::Open),
            backend: watch::Sender::new(backend),
            rng: Mutex::new(Rng::with_seed(seed)),
        });
        let listener = listener.listen(1024).context("listening")?;
        tokio::spawn(gate.clone().run(listener));
        Ok(gate)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Sends new connections to another server.
    pub(crate) fn redirect_to(&self, backend: SocketAddr) {
        self.backend.send_replace(backend);
    }

    async fn run(self: Arc<Self>, mut listener: TcpListener) -> Result<()> {
        let mut mode = self.mode.subscribe();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((client, _)) = accepted {
                        tokio::spawn(self.clone().carry(client));
                    }
                }
                refuses = async { mode.wait_for(|mode| *mode == Mode::Refuse).await.map(drop) } => {
                    refuses?;
                    drop(listener);
                    mode.wait_for(|mode| *mode != Mode::Refuse).await?;
                    listener = bind(self.address)?.listen(1024)?;
                }
            }
        }
    }

    /// Forwards one connection. An error ends it, as without a gate.
    async fn carry(self: Arc<Self>, mut client: TcpStream) -> Option<()> {
        let backend = *self.backend.borrow();
        let mut server = TcpStream::connect(backend).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let mut mode = self.mode.subscribe();
        let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
        loop {
            let (count, is_up) = tokio::select! {
                count = client.read(&mut up) => (count.ok()?, true),
                count = server.read(&mut down) => (count.ok()?, false),
                _ = mode.wait_for(|mode| *mode == Mode::Refuse) => {
                    return client.set_zero_linger().ok();
                }
            };
            if count == 0 {
                return None;
            }
            let now = *mode.borrow_and_update();
            match (self.strikes(now), is_up) {
                (Mode::ResetBefore, true) | (Mode::ResetAfter, false) => {
                    return client.set_zero_linger().ok();
                }
                (Mode::CutReply, false) => return client.write_all(&down[..count / 2]).await.ok(),
                (Mode::Hang, _) => {
                    mode.wait_for(|mode| *mode != Mode::Hang).await.ok()?;
                    return client.set_zero_linger().ok();
                }
                (Mode::Slow, _) => {
                    let ms = lock(&self.rng).u64(..SLOWEST);
                    sleep(Duration::from_millis(ms)).await;
                }
                _ => {}
            }
            match is_up {
                true => server.write_all(&up[..count]).await.ok()?,
                false => client.write_all(&down[..count]).await.ok()?,
            }
        }
    }

    fn strikes(&self, mode: Mode) -> Mode {
        match lock(&self.rng).bool() {
            true => mode,
            false => Mode::Open,
        }
    }
}

fn bind(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    #[cfg(unix)]
    {
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
    }
    socket
        .bind(address)
        .with_context(|| format!("binding {address}"))?;
    Ok(socket)
}
