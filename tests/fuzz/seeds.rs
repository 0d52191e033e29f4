//! Where a search begins: the fixtures, as each target reads them, and every input that was ever found to break a promise
//! (tests/fuzz/found/TARGET).
//!
//! fixtures/frames holds streams as they came over a socket, from the MTA's first byte: `good` ones are taken to their end,
//! each of the `bad` ones must be parted from.

use std::fs;
use std::path::{Path, PathBuf};

use perso_milter::config::DEFAULT_FILE;
use perso_milter::milter::client::message::Message;
use perso_milter::milter::command::{Command, CommandStrings, EnvelopeAddress, Peer};
use perso_milter::milter::frame::FrameDecoder;
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::wire::FRAME_MAX;

/// Larger ones slow a search down more than they help it.
const LARGEST: usize = 20_000;

/// One input of a target.
pub struct Seed {
    pub target: &'static str,
    /// Where it comes from.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Every seed.
pub fn seeds() -> Vec<Seed> {
    let streams = files("fixtures/frames/good", "bin").into_iter().chain(files("fixtures/frames/bad", "bin"));
    let mut seeds: Vec<Seed> = streams.flat_map(|(name, bytes)| of_stream(&name, bytes)).collect();
    for (name, bytes) in files("fixtures/mail", "eml") {
        seeds.extend(of_message(&name, &Message::parse(&bytes)));
    }
    let configurations = files("fixtures/config/good", "toml").into_iter().chain(files("fixtures/config/bad", "toml"));
    seeds.extend(configurations.map(|(name, bytes)| Seed { target: "configuration", name, bytes }));
    seeds.push(Seed { target: "configuration", name: "default".to_owned(), bytes: DEFAULT_FILE.into() });
    for (name, bytes) in files("fixtures/aliases", "") {
        seeds.extend(whole_and_lines("alias_file", &name, bytes));
    }
    for extension in ["csv", "json", "txt", "vcf"] {
        let files = files("fixtures/intake", extension).into_iter();
        seeds.extend(files.flat_map(|(name, bytes)| whole_and_lines("intake", &name, bytes)));
    }
    seeds.retain(|seed| seed.bytes.len() <= LARGEST);
    for (target, _) in super::properties::TARGETS {
        let found = files(&format!("tests/fuzz/found/{target}"), "");
        seeds.extend(found.into_iter().map(|(name, bytes)| Seed { target, name, bytes }));
    }
    seeds
}

/// The frames of a stream are commands.
fn of_stream(name: &str, stream: Vec<u8>) -> Vec<Seed> {
    let mut seeds = Vec::new();
    let _ = FrameDecoder::new(FRAME_MAX as u32).feed(&stream, |frame| {
        let name = format!("{name}-{}", seeds.len() + 1);
        seeds.push(Seed { target: "command", name, bytes: [&[frame.command], frame.payload].concat() });
        std::ops::ControlFlow::<()>::Continue(())
    });
    let whole = ["frame", "session"].map(|target| Seed { target, name: name.to_owned(), bytes: stream.clone() });
    seeds.extend(whole);
    seeds
}

/// The values of a message's headers, and a conversation that hands it over.
fn of_message(name: &str, message: &Message) -> Vec<Seed> {
    let values = |target, header: &'static str| {
        let values = (1..).zip(message.values(header));
        values.map(move |(number, value)| Seed { target, name: format!("{name}-{number}"), bytes: value.to_vec() })
    };
    let mut seeds: Vec<Seed> = values("subject", "Subject")
        .chain(values("from", "From"))
        .chain(values("authentication_results", "Authentication-Results"))
        .collect();
    seeds.push(Seed { target: "session", name: name.to_owned(), bytes: conversation(message) });
    seeds
}

/// A file, and each of its lines.
fn whole_and_lines(target: &'static str, name: &str, file: Vec<u8>) -> Vec<Seed> {
    let seed = |name, bytes| Seed { target, name, bytes };
    let lines = (1..).zip(file.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.is_empty());
    let mut seeds: Vec<Seed> = lines.map(|(number, line)| seed(format!("{name}-{number}"), line.to_vec())).collect();
    seeds.push(seed(name.to_owned(), file));
    seeds
}

fn conversation(message: &Message) -> Vec<u8> {
    let none = CommandStrings::default();
    let path = |address| EnvelopeAddress { address, arguments: none.strings() };
    let peer = Peer::Inet { port: 25_025, address: b"192.0.2.1" };
    let mut commands = vec![
        Command::Negotiate(Offer::POSTFIX),
        Command::Connect { host: b"mx.example.net", peer },
        Command::Mail(path(b"<a@d.example>")),
        Command::Recipient(path(b"<alice@org.example>")),
        Command::Recipient(path(b"<carol+Perso@org.example>")),
        Command::Recipient(path(b"<dan@org.example>")),
    ];
    commands.extend(message.headers.iter().map(|h| Command::Header { name: &h.name, value: &h.value }));
    commands.extend([Command::EndOfMessage(b""), Command::Abort, Command::Quit]);
    let mut stream = Vec::new();
    commands.iter().for_each(|command| command.encode(&mut stream));
    stream
}

/// The files of a folder with this extension: name and content, in the order of the names. A folder need not be there.
pub fn files(folder: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().unwrap_or_default() == extension);
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read(path).expect("a fixture"))).collect()
}
