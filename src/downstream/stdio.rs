//! The process's stdin and stdout without a thread behind them, where that is possible.
//!
//! Clients give pipes or sockets, which can be made non-blocking. A terminal or a file cannot:
//! its descriptor may be shared with the parent, which would become non-blocking too.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// Where lines come from.
pub(super) type Source = Pin<Box<dyn AsyncRead + Send>>;

/// Where lines go.
pub(super) type Sink = Pin<Box<dyn AsyncWrite + Send>>;

pub(super) fn stdin() -> Source {
    #[cfg(unix)]
    if let Some(source) = unix::stdin() {
        return source;
    }
    Box::pin(tokio::io::stdin())
}

/// The process's stdout.
#[must_use]
pub fn open_stdout() -> Sink {
    #[cfg(unix)]
    if let Some(sink) = unix::stdout() {
        return sink;
    }
    Box::pin(tokio::io::stdout())
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{AsFd as _, OwnedFd};
    use std::os::unix::net::UnixStream as StdUnixStream;

    use rustix::fs::FileType;
    use tokio::net::UnixStream;
    use tokio::net::unix::pipe::{Receiver, Sender};

    use super::{Sink, Source};

    /// How wide the pipe to the client is made: fewer hand-overs inside a large answer.
    #[cfg(target_os = "linux")]
    const PIPE_BYTES: usize = 1 << 20;

    pub(super) fn stdin() -> Option<Source> {
        let fd = io::stdin().as_fd().try_clone_to_owned().ok()?;
        match kind(&fd)? {
            FileType::Fifo => Some(Box::pin(Receiver::from_owned_fd(fd).ok()?)),
            FileType::Socket => Some(Box::pin(socket(fd)?)),
            _ => None,
        }
    }

    pub(super) fn stdout() -> Option<Sink> {
        let fd = io::stdout().as_fd().try_clone_to_owned().ok()?;
        match kind(&fd)? {
            FileType::Fifo => {
                // Refused for a user who has too many wide pipes already: no matter.
                #[cfg(target_os = "linux")]
                let _ = rustix::pipe::fcntl_setpipe_size(&fd, PIPE_BYTES);
                Some(Box::pin(Sender::from_owned_fd(fd).ok()?))
            }
            FileType::Socket => Some(Box::pin(socket(fd)?)),
            _ => None,
        }
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
