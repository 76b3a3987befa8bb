//! The process's stdin and stdout, without a thread where possible.
//!
//! Clients use pipes or sockets, which can be made non-blocking. A terminal or a file cannot. The
//! parent process may share the descriptor, and would become non-blocking too.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream that lines are read from.
pub enum Source {
    /// A pipe.
    #[cfg(unix)]
    Pipe(tokio::net::unix::pipe::Receiver),
    /// A socket.
    #[cfg(unix)]
    Socket(tokio::net::UnixStream),
    /// Any other stream, read by a thread where necessary.
    Other(Pin<Box<dyn AsyncRead + Send>>),
}

impl Source {
    /// Wraps a stream of any kind. Its end is noticed only after everything before it is read.
    #[must_use]
    pub fn from_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::Other(Box::pin(reader))
    }

    /// Returns `true` if the other end is closed, even if bytes are unread. If the system does not report
    /// that, returns `false`.
    pub(super) fn is_closed(&self) -> bool {
        #[cfg(unix)]
        {
            use futures_util::FutureExt as _;
            use tokio::io::{Interest, Ready};

            let ready = match self {
                Self::Pipe(pipe) => pipe.ready(Interest::READABLE).now_or_never(),
                Self::Socket(socket) => socket.ready(Interest::READABLE).now_or_never(),
                Self::Other(_) => None,
            };
            ready.is_some_and(|ready| ready.is_ok_and(Ready::is_read_closed))
        }
        #[cfg(not(unix))]
        false
    }
}

impl AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(pipe) => Pin::new(pipe).poll_read(context, buffer),
            #[cfg(unix)]
            Self::Socket(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Other(other) => other.as_mut().poll_read(context, buffer),
        }
    }
}

/// The stream that lines are written to.
pub type Sink = Pin<Box<dyn AsyncWrite + Send>>;

/// Opens the process's stdin.
#[must_use]
pub fn open_stdin() -> Source {
    #[cfg(unix)]
    if let Some(source) = unix::stdin() {
        return source;
    }
    Source::from_reader(tokio::io::stdin())
}

/// Opens the process's stdout.
#[must_use]
pub fn open_stdout() -> Sink {
    #[cfg(unix)]
    if let Some(sink) = unix::stdout() {
        return sink;
    }
    Box::pin(tokio::io::stdout())
}

/// Waits until stdout has no reader; for ever where the system does not report that.
pub async fn stdout_closed() {
    #[cfg(unix)]
    if unix::stdout_closed().await.is_some() {
        return;
    }
    std::future::pending::<()>().await;
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{AsFd as _, OwnedFd};
    use std::os::unix::net::UnixStream as StdUnixStream;

    use rustix::fs::FileType;
    use tokio::io::Interest;
    use tokio::net::UnixStream;
    use tokio::net::unix::pipe::{Receiver, Sender};

    use super::{Sink, Source};

    /// The buffer size of the pipe to the client: a large response needs fewer task switches.
    #[cfg(target_os = "linux")]
    const PIPE_BYTES: usize = 1 << 20;

    pub(super) fn stdin() -> Option<Source> {
        let fd = io::stdin().as_fd().try_clone_to_owned().ok()?;
        match kind(&fd)? {
            FileType::Fifo => Some(Source::Pipe(Receiver::from_owned_fd(fd).ok()?)),
            FileType::Socket => Some(Source::Socket(socket(fd)?)),
            _ => None,
        }
    }

    pub(super) fn stdout() -> Option<Sink> {
        let fd = io::stdout().as_fd().try_clone_to_owned().ok()?;
        match kind(&fd)? {
            FileType::Fifo => {
                // Fails for a user with too many large pipes, which does no harm.
                #[cfg(target_os = "linux")]
                let _ = rustix::pipe::fcntl_setpipe_size(&fd, PIPE_BYTES);
                Some(Box::pin(Sender::from_owned_fd(fd).ok()?))
            }
            FileType::Socket => Some(Box::pin(socket(fd)?)),
            _ => None,
        }
    }

    /// Waits until stdout has no reader. Returns `None` at once where the system does not report that.
    pub(super) async fn stdout_closed() -> Option<()> {
        // A separate descriptor: the writer uses its own.
        let fd = io::stdout().as_fd().try_clone_to_owned().ok()?;
        match kind(&fd)? {
            FileType::Fifo => {
                let pipe = Sender::from_owned_fd(fd).ok()?;
                while !pipe.ready(Interest::ERROR).await.ok()?.is_error() {}
                Some(())
            }
            #[cfg(target_os = "linux")]
            FileType::Socket => hung_up(fd).await,
            _ => None,
        }
    }

    /// Waits until the other end of a socket is closed in both directions. A half-closed socket does not
    /// count: it may be stdin too, with unread lines.
    #[cfg(target_os = "linux")]
    async fn hung_up(fd: OwnedFd) -> Option<()> {
        // Polled like a pipe: a `UnixStream` cannot distinguish a half hang-up from a full one.
        let socket = Sender::from_owned_fd_unchecked(fd).ok()?;
        let hang_up = Interest::PRIORITY;
        while !socket.ready(hang_up).await.ok()?.is_read_closed() {}
        Some(())
    }

    fn kind(fd: &OwnedFd) -> Option<FileType> {
        Some(FileType::from_raw_mode(rustix::fs::fstat(fd).ok()?.st_mode))
    }

    fn socket(fd: OwnedFd) -> Option<UnixStream> {
        let socket = StdUnixStream::from(fd);
        socket.set_nonblocking(true).ok()?;
        UnixStream::from_std(socket).ok()
    }
}
