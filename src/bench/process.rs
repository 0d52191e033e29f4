//! The milter's process, where it runs on this machine: who it is, its processor time, its memory.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use super::socket::Target;

/// A process on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(Pid);

impl Process {
    /// The process with this number.
    pub fn new(pid: i32) -> Self {
        Self(Pid::from_raw(pid))
    }

    /// This process.
    pub fn own() -> Self {
        Self(Pid::this())
    }

    /// The process that listens at a milter's address; `None` where it is elsewhere, or may not be looked at (that of another
    /// account behind TCP is seen by root alone).
    pub fn listening(target: &Target) -> Option<Self> {
        match target {
            Target::Unix(path) => {
                let stream = UnixStream::connect(path).ok()?;
                let peer = getsockopt(&stream.as_fd(), PeerCredentials).ok()?;
                // 0: a process outside of this container.
                (peer.pid() > 0).then(|| Self::new(peer.pid()))
            }
            Target::Tcp(address) => owner(listening_inode(*address)?),
        }
    }

    /// Its number.
    pub fn pid(self) -> i32 {
        self.0.as_raw()
    }

    /// The processor time of all its threads so far, those that ended included.
    pub fn processor_time(self) -> Option<Duration> {
        let clock: ClockId = clock_getcpuclockid(self.0).ok()?;
        clock.now().ok().map(Duration::from)
    }

    /// Its resident memory, in bytes.
    pub fn memory(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib << 10)
    }
}

/// The inode of the socket that listens on a port of this machine.
fn listening_inode(address: SocketAddr) -> Option<u64> {
    if !address.ip().is_loopback() {
        return None;
    }
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().find_map(|table| inode(&fs::read_to_string(table).ok()?, address.port()))
}

/// The inode of the listening socket with this port in a table of /proc/net.
fn inode(table: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&port) && *fields.get(3)? == LISTEN;
        is_it.then(|| fields.get(9)?.parse().ok())?
    })
}

/// The process that has a socket open.
fn owner(inode: u64) -> Option<Process> {
    let link = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| has_open(*pid, &link)).map(Process::new)
}

fn has_open(pid: i32, link: &str) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == link))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn who_listens_is_found_behind_every_kind_of_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.sock");
        let _unix = UnixListener::bind(&path).unwrap();
        assert_eq!(Process::listening(&Target::Unix(path)), Some(Process::own()));
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let target = Target::Tcp(listener.local_addr().unwrap());
            assert_eq!(Process::listening(&target), Some(Process::own()), "{address}");
        }
        assert_eq!(Process::listening(&Target::Tcp("192.0.2.1:25".parse().unwrap())), None);
    }

    #[test]
    fn a_process_has_used_time_and_memory() {
        let own = Process::own();
        let before = own.processor_time().unwrap();
        let sum: u64 = (0..3_000_000_u64).map(std::hint::black_box).sum();
        assert!(own.processor_time().unwrap() > before, "{sum}");
        assert!(own.memory().unwrap() > 1 << 20);
    }
}
