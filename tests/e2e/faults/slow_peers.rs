//! Peers that take their time, two thousand of each kind: others are served meanwhile, memory stays where it was, and the log
//! says which limit ended them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use perso_milter::milter::command::Command;
use perso_milter::milter::negotiate::Offer;
use toml::Table;

use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, letter};
use crate::scratch::{show, wait_until};

const PEERS: usize = 2_000;
/// Seconds from the connection to the end of the negotiation, and for the rest of a frame.
const HANDSHAKE_TIME: i64 = 8;
/// What two thousand connections may take: 6 KiB each is what an idle one is allowed.
const MEMORY: usize = PEERS * 6 * 1024;

/// What a peer does once it has connected.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Silent,
    AByteASecond,
    HalfAFrame,
}

impl Peer {
    /// What it writes at once, and what it writes one byte a second of.
    fn bytes(self) -> (Vec<u8>, Vec<u8>) {
        let offer = offer();
        match self {
            Self::Silent => (Vec::new(), Vec::new()),
            Self::AByteASecond => (Vec::new(), offer),
            Self::HalfAFrame => ([&offer[..], &[0, 0, 0, 100, b'M', b'<']].concat(), Vec::new()),
        }
    }
}

/// The offer of a Postfix, as a frame.
fn offer() -> Vec<u8> {
    let mut bytes = Vec::new();
    Command::Negotiate(Offer::POSTFIX).encode(&mut bytes);
    bytes
}

#[test]
fn two_thousand_silent_peers() {
    met(Peer::Silent);
}

#[test]
fn two_thousand_peers_that_send_a_byte_a_second() {
    met(Peer::AByteASecond);
}

#[test]
fn two_thousand_peers_that_send_half_a_frame() {
    met(Peer::HalfAFrame);
}

fn met(peer: Peer) {
    raise_limit_of_open_files();
    let limits = Table::from_iter([("handshake_time".to_owned(), HANDSHAKE_TIME.into())]);
    let relay =
        Relay::with(Settings::new().set("milter.limits", limits)).user("bob").personal("bob", &[FRIEND]).start();
    serves(&relay);
    let before = relay.daemon.resident();
    let start = Instant::now();
    let (first, later) = peer.bytes();
    let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| connect(relay.lane.milter(), &first)).collect();
    let mut written = 0;
    let (mut served, mut slowest, mut most) = (0, Duration::ZERO, 0);
    wait_until("the peers to be parted from", || {
        if let Some(byte) = later.get(written).filter(|_| start.elapsed().as_secs() >= written as u64) {
            // Those that are closed already are counted below.
            peers.iter_mut().for_each(|peer| drop(peer.write_all(&[*byte])));
            written += 1;
        }
        slowest = slowest.max(serves(&relay));
        served += 1;
        most = most.max(relay.daemon.resident());
        peers.retain_mut(is_open);
        peers.is_empty().then_some(())
    });
    let parted = start.elapsed();
    let limit = "over the limit handshake_time";
    let named = relay.daemon.wait_logged(PEERS, limit).matches(limit).count();
    show(&format!(
        "{PEERS} peers, {peer:?}: closed within {:.1} s (handshake_time {HANDSHAKE_TIME} s), {served} messages delivered \
         meanwhile, the slowest in {} ms; resident memory {} KiB before, {} KiB at most",
        parted.as_secs_f64(),
        slowest.as_millis(),
        before / 1024,
        most / 1024,
    ));
    assert!(served > 1);
    assert_eq!(named, PEERS, "lines of the log that name the limit");
    assert!(most < before + MEMORY, "{before} bytes grew to {most}");
}

/// A message is delivered with its mark; how long that took.
fn serves(relay: &Relay) -> Duration {
    let start = Instant::now();
    let message = letter(FRIEND, "Un");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.lane.site.postfix.wait_removed(sent.id());
    let took = start.elapsed();
    relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Un"));
    took
}

fn connect(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the daemon listens");
    stream.write_all(bytes).expect("the daemon reads");
    stream.set_nonblocking(true).expect("an option of a socket");
    stream
}

/// Whether the daemon has not closed it yet; what it answered is read on the way.
fn is_open(peer: &mut TcpStream) -> bool {
    loop {
        match peer.read(&mut [0; 256]) {
            Ok(1..) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
            Ok(0) => return false,
        }
    }
}

/// Both this process and the daemon, which inherits the limit, hold two thousand connections.
fn raise_limit_of_open_files() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the soft limit may be raised to the hard one");
}
