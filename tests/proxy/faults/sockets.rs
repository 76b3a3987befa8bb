//! The connections of the proxy to a server, as the system knows them: whether it has let go of those
//! that it had.

use std::fs;

/// The connections that there were at some time.
pub(crate) struct Sockets {
    pid: u32,
    /// Each as its place in `/proc/<pid>/fd` names it.
    names: Vec<String>,
}

impl Sockets {
    /// Those of this process to a port, on whichever machine; none where the system does not tell.
    pub(crate) fn of(pid: u32, port: u16) -> Self {
        let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
        let end = format!(":{port:04X}");
        // The third word of a line is the address of the other side, the tenth the number of the socket.
        let names = table.lines().filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let is_there = words.get(2)?.ends_with(&end);
            is_there.then(|| format!("socket:[{}]", words.get(9).copied().unwrap_or_default()))
        });
        let mut sockets = Self {
            pid,
            names: names.collect(),
        };
        // Some may be of other processes.
        let open = sockets.open();
        sockets.names.retain(|name| open.contains(name));
        sockets
    }

    /// Whether the process has let go of all of them.
    pub(crate) fn are_closed(&self) -> bool {
        let open = self.open();
        !self.names.iter().any(|name| open.contains(name))
    }

    /// What the process has open.
    fn open(&self) -> Vec<String> {
        let Ok(open) = fs::read_dir(format!("/proc/{}/fd", self.pid)) else {
            return Vec::new();
        };
        // One that is closed meanwhile has no name any more.
        let names = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        names.map(|name| name.display().to_string()).collect()
    }
}
