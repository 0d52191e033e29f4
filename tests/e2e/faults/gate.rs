//! A gate between Postfix and a listener of the daemon: TCP that is passed on, or cut off at a chosen byte, or not there.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use socket2::Socket;

use crate::scratch::{Port, lock};

pub struct Gate {
    port: Port,
    shared: Arc<Shared>,
    listener: Option<Socket>,
}

struct Shared {
    behind: u16,
    /// Both ends of what passes through.
    streams: Mutex<Vec<TcpStream>>,
    /// After so many bytes of answers a connection is cut off.
    limit: AtomicUsize,
    /// The bytes of answers of the last connection.
    passed: AtomicUsize,
}

impl Gate {
    /// An open gate before a port of the daemon.
    pub fn before(behind: u16) -> Self {
        let shared = Shared {
            behind,
            streams: Mutex::default(),
            limit: AtomicUsize::new(usize::MAX),
            passed: AtomicUsize::new(0),
        };
        let mut gate = Self { port: Port::reserve(), shared: Arc::new(shared), listener: None };
        gate.open();
        gate
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Lets connections in.
    pub fn open(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port())).expect("the port is ours");
        self.listener = Some(Socket::from(OwnedFd::from(listener.try_clone().expect("an open socket"))));
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            while let Ok((front, _)) = listener.accept() {
                let shared = Arc::clone(&shared);
                // Either end may go at any time: that is what a gate is for.
                thread::spawn(move || shared.pass(front));
            }
        });
    }

    /// Cuts off every connection, and nobody listens any more.
    pub fn close(&mut self) {
        if let Some(listener) = self.listener.take() {
            let _ = listener.shutdown(Shutdown::Both);
        }
        for stream in lock(&self.shared.streams).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// From the next connection on, the gate passes so many bytes of answers on and cuts the connection off.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.limit.store(bytes, Ordering::SeqCst);
    }

    /// How many bytes of answers the last connection has passed on.
    pub fn passed(&self) -> usize {
        self.shared.passed.load(Ordering::SeqCst)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn pass(&self, mut front: TcpStream) -> io::Result<()> {
        let mut back = TcpStream::connect((Ipv4Addr::LOCALHOST, self.behind))?;
        front.set_nodelay(true)?;
        back.set_nodelay(true)?;
        lock(&self.streams).extend([front.try_clone()?, back.try_clone()?]);
        let (mut asks, mut to_daemon) = (front.try_clone()?, back.try_clone()?);
        let asking = thread::spawn(move || {
            let _ = io::copy(&mut asks, &mut to_daemon);
            let _ = to_daemon.shutdown(Shutdown::Both);
        });
        let passed = self.answer(&mut back, &mut front);
        for stream in [&front, &back] {
            // The other end may be gone.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = asking.join();
        passed
    }

    fn answer(&self, back: &mut TcpStream, front: &mut TcpStream) -> io::Result<()> {
        let limit = self.limit.load(Ordering::SeqCst);
        self.passed.store(0, Ordering::SeqCst);
        let mut buffer = [0; 4096];
        let mut left = limit;
        while left > 0 {
            let length = back.read(&mut buffer)?.min(left);
            if length == 0 {
                break;
            }
            front.write_all(&buffer[..length])?;
            left -= length;
            self.passed.store(limit - left, Ordering::SeqCst);
        }
        Ok(())
    }
}
