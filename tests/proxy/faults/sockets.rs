//! The proxy's connections to a server, read from `/proc`: shows whether the proxy has closed them.

use std::fs;

/// The connections that were open at some time.
pub(crate) struct Sockets {
    pid: u32,
    /// The names of the sockets in `/proc/<pid>/fd`.
    names: Vec<String>,
}

impl Sockets {
    /// Returns the connections of a process to a port, on any machine; empty on systems without `/proc`.
    pub(crate) fn open_to(pid: u32, port: u16) -> Self {
        let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
        let end = format!(":{port:04X}");
        // The third word of a line is the remote address, the tenth the number of the socket.
        let names = table.lines().filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let is_to_port = words.get(2)?.ends_with(&end);
            is_to_port.then(|| format!("socket:[{}]", words.get(9).copied().unwrap_or_default()))
        });
        let mut sockets = Self {
            pid,
            names: names.collect(),
        };
        // The table includes other processes.
        let open = sockets.open_files();
        sockets.names.retain(|name| open.contains(name));
        sockets
    }

    /// Whether the process has closed all of them.
    pub(crate) fn are_closed(&self) -> bool {
        let open = self.open_files();
        !self.names.iter().any(|name| open.contains(name))
    }

    /// Returns the names of all open files of the process.
    fn open_files(&self) -> Vec<String> {
        let Ok(open) = fs::read_dir(format!("/proc/{}/fd", self.pid)) else {
            return Vec::new();
        };
        // A file closed meanwhile has no name any more.
        let names = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        names.map(|name| name.display().to_string()).collect()
    }
}
