//! The minimal milter of benches/peers does what it is compared for: it tags the messages of the listed senders and
//! nobody else's, refuses blocked ones where it may, and loses no byte however they come.

use std::iter;
use std::net::TcpStream;
use std::num::NonZero;
use std::thread;

use perso_milter::milter::client::{Client, ClientOptions, Verdict};
use perso_milter::milter::command::Command;
use perso_milter::milter::listen::ListenAddress;
use perso_milter::milter::negotiate::{Event, Offer};
use perso_milter::milter::wire::{Actions, Protocol};

use super::harness::{PATIENCE, Raw, envelope, frame, offer};

/// Its `main` is not called here.
#[allow(dead_code)]
#[path = "../../benches/peers/minimal/main.rs"]
mod minimal;

use minimal::conversation::{Conversation, Milter, RecipientReplies};
use minimal::{pool, server, socket};

const PERSONAL: &str = "<Contact9999@Friends.example>";
const BLOCKED: &str = "<spam0@junk.example>";
const STRANGER: &str = "<contact10000@friends.example>";
const MAIL: &[u8] = b"From: a@b.example\nsubject:  Plans\n for tonight\nSubject: second\n\nbody\n";

fn milter(replies: RecipientReplies) -> Milter {
    Milter::new(pool("contact", "friends.example"), pool("spam", "junk.example"), replies)
}

/// A minimal milter at an address of its own, until the process ends.
fn start(address: &str, replies: RecipientReplies, threads: usize) -> ListenAddress {
    let address: ListenAddress = address.parse().unwrap();
    let listener = socket::Listener::bind(&address).unwrap();
    let bound = match &listener {
        socket::Listener::Unix(_) => address,
        socket::Listener::Tcp(listener) => {
            ListenAddress::Inet { port: listener.local_addr().unwrap().port(), host: Some("127.0.0.1".to_owned()) }
        }
    };
    let threads = NonZero::new(threads).unwrap();
    thread::spawn(move || server::serve(listener, milter(replies), threads));
    bound
}

fn connect(address: &ListenAddress) -> Client {
    let options = ClientOptions { read_timeout: PATIENCE, ..ClientOptions::default() };
    Client::connect(address, &options).unwrap()
}

/// The Subjects of the message as delivered, or what the recipient's refusal says.
fn delivered(client: &mut Client, sender: &str, mail: &[u8]) -> Result<Vec<String>, Verdict> {
    let envelope = envelope(sender, &["<user1@bench.example>"]);
    let outcome = client.send_message(&envelope, mail).unwrap();
    let delivery = outcome.deliver(&envelope, mail, client.agreement()).ok_or(outcome.verdict)?;
    Ok(delivery.message.values("Subject").map(|value| String::from_utf8(value.to_vec()).unwrap()).collect())
}

fn subjects(texts: &[&str]) -> Result<Vec<String>, Verdict> {
    Ok(texts.iter().map(|&text| text.to_owned()).collect())
}

#[test]
fn the_listed_senders_messages_are_tagged_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    for address in [&format!("unix:{}/m.sock", directory.path().display()), "inet:0@127.0.0.1"] {
        let mut client = connect(&start(address, RecipientReplies::Spared, 1));
        for _ in 0..2 {
            let tagged = ["[PERSO] Plans\n for tonight", "second"];
            assert_eq!(delivered(&mut client, PERSONAL, MAIL), subjects(&tagged), "{address}");
            assert_eq!(delivered(&mut client, PERSONAL, b"From: a@b.example\n\n"), subjects(&["[PERSO]"]), "{address}");
            for other in [STRANGER, BLOCKED, "<>", "<contact@friends.example>"] {
                let plain = ["Plans\n for tonight", "second"];
                assert_eq!(delivered(&mut client, other, MAIL), subjects(&plain), "{other} {address}");
            }
        }
        client.quit().unwrap();
    }
}

#[test]
fn with_replies_at_rcpt_the_blocked_are_refused_there() {
    let address = start("inet:0@127.0.0.1", RecipientReplies::Sent, 1);
    let mut client = connect(&address);
    assert!(matches!(delivered(&mut client, BLOCKED, MAIL), Err(Verdict::Reject(_))));
    assert_eq!(delivered(&mut client, STRANGER, MAIL), subjects(&["Plans\n for tonight", "second"]));
    assert_eq!(delivered(&mut client, PERSONAL, MAIL), subjects(&["[PERSO] Plans\n for tonight", "second"]));
}

#[test]
fn several_threads_serve_several_connections() {
    let address = start("inet:0@127.0.0.1", RecipientReplies::Spared, 3);
    let mut clients: Vec<Client> = (0..7).map(|_| connect(&address)).collect();
    for client in &mut clients {
        assert_eq!(delivered(client, PERSONAL, MAIL).unwrap()[0], "[PERSO] Plans\n for tonight");
    }
    clients.into_iter().for_each(|client| client.quit().unwrap());
    assert_eq!(delivered(&mut connect(&address), STRANGER, MAIL).unwrap()[0], "Plans\n for tonight");
}

#[test]
fn it_asks_for_the_least_and_serves_no_mta_that_offers_less() {
    for (replies, answered) in [(RecipientReplies::Spared, false), (RecipientReplies::Sent, true)] {
        let client = connect(&start("inet:0@127.0.0.1", replies, 1));
        for event in [Event::Helo, Event::Data, Event::EndOfHeaders, Event::Body, Event::Unknown] {
            assert!(client.agreement().is_skipped(event), "{event:?}");
        }
        for event in [Event::Connect, Event::Mail, Event::Header] {
            assert!(!client.agreement().is_skipped(event) && !client.agreement().replies_to(event), "{event:?}");
        }
        assert_eq!(client.agreement().replies_to(Event::Recipient), answered);
    }
    let less = Offer { actions: Actions::VERSION_2, protocol: Protocol::VERSION_4, version: 4 };
    let mut bytes = Vec::new();
    Command::Negotiate(less).encode(&mut bytes);
    let refused = Conversation::default().receive(&milter(RecipientReplies::Spared), &bytes, &mut Vec::new());
    assert!(refused.is_err());
}

/// Two messages as an MTA sends them, the first of them personal.
fn stream() -> Vec<u8> {
    let mail = |sender: &str| format!("{sender}\0SIZE=3000\0").into_bytes();
    let message = |sender| {
        let events: [(u8, &[u8]); 9] = [
            (b'D', b"C"),
            (b'C', b"host\0U"),
            (b'M', &mail(sender)),
            (b'R', b"<u@bench.example>\0"),
            (b'L', b"Received\0 from x\0"),
            (b'L', b"Subject\0 hello\0"),
            (b'D', b"E"),
            (b'E', b""),
            (b'A', b""),
        ];
        events.iter().flat_map(|(byte, payload)| frame(*byte, payload)).collect::<Vec<u8>>()
    };
    [offer(), message(PERSONAL), message(STRANGER)].concat()
}

#[test]
fn bytes_may_be_split_anywhere() {
    let (milter, bytes) = (milter(RecipientReplies::Sent), stream());
    let answers = |parts: &mut dyn Iterator<Item = &[u8]>| {
        let (mut conversation, mut kept, mut output) = (Conversation::default(), Vec::new(), Vec::new());
        for part in parts {
            kept.extend_from_slice(part);
            let taken = conversation.receive(&milter, &kept, &mut output).unwrap();
            kept.drain(..taken);
        }
        assert!(kept.is_empty());
        output
    };
    let whole = answers(&mut iter::once(&bytes[..]));
    let edit = frame(b'm', b"\0\0\0\x01Subject\0 [PERSO] hello\0");
    let expected = [frame(b'c', b""), edit, frame(b'c', b""), frame(b'c', b""), frame(b'c', b"")].concat();
    assert!(whole.ends_with(&expected), "{}", whole.escape_ascii());
    for size in 1..bytes.len() {
        assert_eq!(answers(&mut bytes.chunks(size)), whole, "in parts of {size}");
    }
    let address = start("inet:0@127.0.0.1", RecipientReplies::Sent, 1).socket_address().unwrap().unwrap();
    for size in [1, 2, 5, 100] {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut peer = Raw::Tcp(stream);
        bytes.chunks(size).for_each(|part| peer.write(part));
        assert_eq!(peer.cut(), whole, "in writes of {size}");
    }
}

#[test]
fn what_cannot_be_a_frame_ends_the_connection() {
    let milter = milter(RecipientReplies::Spared);
    for bytes in [&b"\0\0\0\0"[..], b"\0\x01\0\x01D", b"\xff\xff\xff\xff", b"\0\0\0\x05O\0\0\0\x06", &frame(b'Q', b"")]
    {
        assert!(Conversation::default().receive(&milter, bytes, &mut Vec::new()).is_err(), "{}", bytes.escape_ascii());
    }
}
