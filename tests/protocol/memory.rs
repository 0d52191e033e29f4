//! Memory: what an idle connection takes, and that bad peers leave nothing behind.
//!
//! Measured in a process of its own, since the other tests allocate as they like.

use std::process::Command;

use super::harness::*;

/// What the project allows an idle connection: 6 KiB.
const IDLE_BYTES: usize = 6 * 1024;
const IDLE_CONNECTIONS: usize = 2000;
const BAD_CONNECTIONS: usize = 100_000;

#[test]
fn memory_stays_within_its_bounds() {
    // The limit of open files is raised as far as it may be; both ends of each connection are here.
    let script = "ulimit -n $(ulimit -H -n); exec \"$0\" --exact --ignored --nocapture memory::measure";
    let output = Command::new("sh").args(["-c", script]).arg(std::env::current_exe().unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    for line in text.lines().filter(|line| line.starts_with("memory:")) {
        println!("{line}");
    }
}

#[test]
#[ignore = "run by memory_stays_within_its_bounds, alone in its process"]
fn measure() {
    let server = start_mock(Kind::Unix, fast(), limits(), false);
    let serve_one = |connections: usize| {
        (0..connections)
            .map(|_| {
                let mut peer = server.raw();
                peer.write(&offer());
                peer.read_exactly(17);
                peer
            })
            .collect::<Vec<_>>()
    };
    drop(serve_one(10));

    let mut held = Vec::with_capacity(IDLE_CONNECTIONS);
    let before = resident();
    held.extend(serve_one(IDLE_CONNECTIONS));
    let each = resident().saturating_sub(before) / IDLE_CONNECTIONS;
    println!("memory: {each} bytes an idle connection, over {IDLE_CONNECTIONS}");
    assert!(each <= IDLE_BYTES, "{each} bytes an idle connection");
    drop(held);

    let bad = |connections: usize| {
        std::thread::scope(|scope| {
            for part in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    for number in 0..connections / 4 {
                        let mut peer = server.raw();
                        match (number + part) % 4 {
                            0 => peer.write(&[0; 4]),
                            1 => peer.write(&[&offer()[..], &[0, 1, 0, 1, b'B']].concat()),
                            2 => peer.write(&[&offer()[..], &frame(b'Z', b"")].concat()),
                            // Cut off within a frame.
                            _ => {
                                peer.write(&[0, 0, 0xff, 0xff, b'B', b'x']);
                                continue;
                            }
                        }
                        peer.read_to_end();
                    }
                });
            }
        });
    };
    bad(BAD_CONNECTIONS / 10);
    let before = resident();
    bad(BAD_CONNECTIONS);
    let after = resident();
    println!("memory: {before} bytes before {BAD_CONNECTIONS} bad connections, {after} after");
    assert!(after < before + (1 << 20), "{before} bytes grew to {after}");
    server.stop();
}

/// Bytes of this process in memory (`/proc/self/statm`, second field, pages of 4 KiB).
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
