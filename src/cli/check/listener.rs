//! The sockets: can they be bound, can Postfix reach them, does something answer already?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::cli::postfix_config::make_directory;
use crate::config::{ListenAddress, Listener, Parsed, Problem, Severity, SplitMode};
use crate::split::HOST_SUFFIX;

/// How long something that listens already has to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long the second smtpd has for each line: it asks our milter first.
const LINE: Duration = Duration::from_secs(5);
/// Most bytes of its lines that are read.
const MAX_GREETING: u64 = 4096;
/// The user that Postfix runs as, on every system that packages it.
const POSTFIX: &str = "postfix";

/// Users and groups, as /etc/passwd and /etc/group have them: directory services are not asked.
#[derive(Debug, Default)]
pub(super) struct System {
    /// Group name to number and members.
    groups: BTreeMap<String, (u32, BTreeSet<String>)>,
    /// Number and primary group of Postfix's user, if there is one.
    postfix: Option<(u32, u32)>,
}

impl System {
    /// Reads `passwd` and `group` of `folder`; what cannot be read is empty.
    pub(super) fn read(folder: &Path) -> Self {
        let read = |name| fs::read_to_string(folder.join(name)).unwrap_or_default();
        Self::parse(&read("passwd"), &read("group"))
    }

    /// Formats: passwd(5), group(5).
    fn parse(passwd: &str, group: &str) -> Self {
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let groups = group.lines().map(fields).filter_map(|line| {
            let members = line.get(3)?.split(',').map(str::to_owned).collect();
            Some((line[0].clone(), (line[2].parse().ok()?, members)))
        });
        let user = passwd.lines().map(fields).find(|line| line[0] == POSTFIX);
        let postfix = user.and_then(|line| Some((line.get(2)?.parse().ok()?, line.get(3)?.parse().ok()?)));
        Self { groups: groups.collect(), postfix }
    }

    fn postfix_is_in(&self, group: u32) -> bool {
        self.postfix.is_some_and(|(_, primary)| primary == group)
            || self.groups.values().any(|(number, members)| *number == group && members.contains(POSTFIX))
    }

    /// Whether Postfix's user has the permission `bit` (4, 2 or 1) on what has this owner, group and mode.
    fn postfix_may(&self, bit: u32, owner: u32, group: u32, mode: u32) -> bool {
        match self.postfix {
            Some((user, _)) if user == owner => mode & (bit << 6) != 0,
            _ if self.postfix_is_in(group) => mode & (bit << 3) != 0,
            _ => mode & bit != 0,
        }
    }
}

/// Whether one of the addresses that `theirs` stands for, a host and a port, is that of a TCP listener.
pub(super) fn is_reached(listener: &ListenAddress, theirs: impl ToSocketAddrs) -> bool {
    let (Ok(Some(ours)), Ok(mut theirs)) = (listener.socket_address(), theirs.to_socket_addrs()) else { return false };
    theirs.any(|theirs| theirs.port() == ours.port() && (theirs.ip() == ours.ip() || ours.ip().is_unspecified()))
}

/// Every finding about the listeners.
pub(super) fn findings(parsed: &Parsed, system: &System) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, listener) in parsed.config.milter.listeners.iter().enumerate() {
        let key = format!("milter.listener[{}]", index + 1);
        let mut find = |severity, name: &str, what: String, remedy: &str| {
            problems.push(parsed.lines.problem(severity, &format!("{key}.{name}"), what, remedy));
        };
        match &listener.address {
            ListenAddress::Unix { path } => unix(listener, path, system, &mut find),
            tcp => self::tcp(tcp, &mut find),
        }
    }
    problems
}

fn tcp(address: &ListenAddress, find: &mut impl FnMut(Severity, &str, String, &str)) {
    let socket = match address.socket_address() {
        Ok(Some(socket)) => socket,
        Ok(None) => return,
        Err(error) => {
            let what = format!("{address} cannot be looked up: {error}");
            return find(Severity::Error, "address", what, "write an IP address of this machine");
        }
    };
    if !socket.ip().is_loopback() {
        let what =
            format!("whoever reaches {address} can ask which senders are on a list: the protocol has no password");
        find(Severity::Warning, "address", what, "listen on 127.0.0.1, or let a firewall pass your Postfix alone");
    } else {
        let what = "every account of this machine can ask here which senders are on a list".to_owned();
        find(
            Severity::Note,
            "address",
            what,
            "where others have accounts, a unix socket keeps it to the group of Postfix",
        );
    }
    if let Err(error) = TcpListener::bind(SocketAddr::new(socket.ip(), 0))
        && error.kind() == ErrorKind::AddrNotAvailable
    {
        let what = format!("{} is no address of this machine", socket.ip());
        return find(Severity::Error, "address", what, "write one that `ip address` shows");
    }
    if TcpStream::connect_timeout(&socket, ANSWER).is_ok() {
        find(Severity::Note, "address", format!("something listens on {address} already"), LISTENS);
    }
}

/// Whether the port of the second smtpd is taken by something else: Postfix could not listen there, and copies would go to
/// whatever does.
pub(super) fn second_smtpd(parsed: &Parsed) -> Option<Problem> {
    let address = parsed.config.split.address.socket_address();
    if parsed.config.split_mode() == SplitMode::Off {
        return None;
    }
    let stream = TcpStream::connect_timeout(&address, ANSWER).ok()?;
    // Who neither greets nor names itself is none.
    let answer = ehlo(stream).unwrap_or_default();
    let name = answer.strip_prefix("250").and_then(|rest| rest.get(1..)?.split_whitespace().next());
    let is_named = name.is_some_and(|name| name.to_ascii_lowercase().ends_with(HOST_SUFFIX));
    // While its milter is down it puts everything off.
    let is_ours = is_named || answer.starts_with('4');
    let what = format!("something listens on {address} that is not the second smtpd: copies would go there");
    let remedy = "end it, or write another port and take the lines of perso-milter postfix-config anew";
    (!is_ours).then(|| parsed.lines.problem(Severity::Error, "split.address", what, remedy))
}

/// The first line of an SMTP server's answer to EHLO, which names it (RFC 5321, 4.1.1.1). Its greeting may be set to hold
/// another name.
fn ehlo(stream: TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(LINE))?;
    stream.set_write_timeout(Some(LINE))?;
    let mut input = BufReader::new(stream.try_clone()?).take(MAX_GREETING);
    let mut output = stream;
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 && line.starts_with("220-") {
        line.clear();
    }
    output.write_all(b"EHLO localhost\r\n")?;
    line.clear();
    input.read_line(&mut line)?;
    // What it says to that changes nothing.
    let _ = output.write_all(b"QUIT\r\n");
    Ok(line)
}

const LISTENS: &str = "if that is not perso-milter, choose another address";

fn unix(listener: &Listener, path: &Path, system: &System, find: &mut impl FnMut(Severity, &str, String, &str)) {
    let folder = path.parent().unwrap_or(path);
    let metadata = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            let what = format!("{} is not a directory", folder.display());
            return find(Severity::Error, "address", what, "name a socket in a directory");
        }
        Err(error) => {
            let what = format!("the directory {} cannot be used: {error}", folder.display());
            let remedy = format!("create it: {}", make_directory(folder).join(" && "));
            return find(Severity::Error, "address", what, &remedy);
        }
    };
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        let what = format!("{} exists and is no socket", path.display());
        find(Severity::Error, "address", what, "remove it, or name another path");
    } else if UnixStream::connect(path).is_ok() {
        find(Severity::Note, "address", format!("something listens on {} already", path.display()), LISTENS);
    }
    if system.postfix.is_some() {
        postfix_reaches(listener, path, metadata.gid(), system, find);
    }
}

/// Whether Postfix's user may search every directory down to the socket and write to the socket itself. `folder_group` is
/// the group of the socket's directory: the socket's own where the directory hands it on.
fn postfix_reaches(
    listener: &Listener,
    path: &Path,
    folder_group: u32,
    system: &System,
    find: &mut impl FnMut(Severity, &str, String, &str),
) {
    for folder in path.ancestors().skip(1) {
        let Ok(found) = fs::metadata(folder) else { continue };
        if !system.postfix_may(1, found.uid(), found.gid(), found.mode()) {
            let what = format!("Postfix may not enter {}", folder.display());
            let remedy = format!("chgrp {POSTFIX} {0} && chmod g+x {0}", folder.display());
            find(Severity::Error, "address", what, &remedy);
        }
    }
    let mode = listener.mode.bits();
    let group = match &listener.group {
        None => Some(folder_group),
        Some(name) => match system.groups.get(name.as_str()) {
            Some((number, _)) => Some(*number),
            None => {
                let what = format!("there is no group {name} in /etc/group");
                return find(Severity::Error, "group", what, "name the group of Postfix, such as postfix");
            }
        },
    };
    let by_group = mode & 0o020 != 0 && group.is_some_and(|group| system.postfix_is_in(group));
    if !by_group && mode & 0o002 == 0 {
        let what = format!(
            "Postfix may not write to the socket: its mode is {}, its group {}",
            listener.mode,
            named(listener)
        );
        find(Severity::Warning, "group", what, "write mode = \"0660\" and group = \"postfix\"");
    }
}

fn named(listener: &Listener) -> String {
    listener.group.as_ref().map_or_else(|| "the daemon's own".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\npostfix:x:4294967001:4294967002::/:/bin/false\n";
    const GROUP: &str = "postfix:x:4294967002:\nmilters:x:4294967003:opendkim,postfix\nperso:x:4294967004:\n";

    fn found(listener: &str) -> Vec<String> {
        let text = format!("authentication.mode = 'off'\n[[milter.listener]]\n{listener}");
        let parsed = parse("f", &text).unwrap_or_else(|error| panic!("{error}"));
        findings(&parsed, &System::parse(PASSWD, GROUP)).iter().map(ToString::to_string).collect()
    }

    fn is_one(found: &[String], text: &str) -> bool {
        found.len() == 1 && found[0].contains(text)
    }

    #[test]
    fn a_free_loopback_port_is_open_to_every_account() {
        assert!(is_one(&found("address = 'inet:1@127.0.0.1'"), "note: milter.listener[1].address: every account"));
    }

    #[test]
    fn a_port_that_answers_is_told() {
        let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = busy.local_addr().expect("an address").port();
        let found = found(&format!("address = 'inet:{port}@127.0.0.1'"));
        let told =
            found.iter().any(|line| line.starts_with("f:3: note: milter.listener[1].address: something listens"));
        assert!(told, "{found:?}");
    }

    /// Answers one SMTP client so, and says what `second_smtpd` makes of it.
    fn found_at_second_smtpd(answers: &'static [&'static str]) -> Option<String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut input = BufReader::new(stream.try_clone().expect("a handle"));
            for answer in answers {
                stream.write_all(answer.as_bytes()).expect("a client that reads");
                input.read_line(&mut String::new()).expect("a client that answers");
            }
        });
        let text = format!("authentication.mode = 'off'\n[split]\naddress = '{address}'\n{SPLIT_LISTENER}");
        let parsed = parse("f", &text).unwrap_or_else(|error| panic!("{error}"));
        let found = second_smtpd(&parsed).map(|problem| problem.to_string());
        server.join().expect("no panic");
        found
    }

    const SPLIT_LISTENER: &str = "[[milter.listener]]\naddress = 'inet:1@127.0.0.1'\nrole = 'split'\n";

    #[test]
    fn the_port_of_the_second_smtpd_is_its_own() {
        let host = "split.0123456789abcdef.perso-milter.invalid";
        let postfix: [&[&str]; 3] = [
            &["220 mail.example.org\r\n", "250-split.0123456789abcdef.perso-milter.invalid\r\n250 PIPELINING\r\n"],
            &["220 mx\r\n", "451 4.7.1 Service unavailable - try again later\r\n"],
            &["220-mx ESMTP\r\n220 mx\r\n", "250 split.0123456789abcdef.perso-milter.invalid\r\n"],
        ];
        assert_eq!(crate::split::SplitKey::new(&[0; 32]).host_names()[1].len(), host.len());
        for answers in postfix {
            assert_eq!(found_at_second_smtpd(answers), None, "{answers:?}");
        }
        let others: [&[&str]; 4] = [
            &["220 amavis ESMTP\r\n", "250-amavis\r\n250 PIPELINING\r\n"],
            &["SSH-2.0-x\r\n"],
            &["220 split.0123456789abcdef.perso-milter.invalid\r\n", "502 what?\r\n"],
            &[],
        ];
        for answers in others {
            let found = found_at_second_smtpd(answers).expect("a finding");
            assert!(found.starts_with("f:3: split.address: something listens on 127.0.0.1:"), "{found}");
        }
    }

    #[test]
    fn a_port_that_nobody_has_is_free_for_the_second_smtpd() {
        let text = format!("authentication.mode = 'off'\n[split]\naddress = '127.0.0.1:1'\n{SPLIT_LISTENER}");
        assert_eq!(second_smtpd(&parse("f", &text).unwrap_or_else(|error| panic!("{error}"))), None);
    }

    #[test]
    fn an_address_of_another_machine_is_an_error() {
        let found = found("address = 'inet:1@192.0.2.1'");
        assert!(found[1].contains("192.0.2.1 is no address of this machine"), "{found:?}");
    }

    #[test]
    fn a_socket_that_postfix_cannot_reach_is_told() {
        let folder = tempfile::Builder::new().tempdir_in("/tmp").expect("a folder");
        let open = |mode| fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(mode));
        let socket = format!("address = 'unix:{}/s'", folder.path().display());
        open(0o755).expect("a mode");
        assert!(is_one(
            &found(&socket),
            "Postfix may not write to the socket: its mode is 0660, its group the daemon's own"
        ));
        assert_eq!(found(&format!("{socket}\ngroup = 'postfix'")), Vec::<String>::new());
        assert_eq!(found(&format!("{socket}\ngroup = 'milters'")), Vec::<String>::new());
        assert!(is_one(&found(&format!("{socket}\ngroup = 'postfix'\nmode = '0640'")), "may not write"));
        assert!(is_one(&found(&format!("{socket}\ngroup = 'perso'")), "its group perso"));
        assert!(is_one(&found(&format!("{socket}\ngroup = 'nobodys'")), "there is no group nobodys"));
        open(0o750).expect("a mode");
        assert!(is_one(&found(&format!("{socket}\ngroup = 'postfix'")), "Postfix may not enter"));
    }

    #[test]
    fn a_missing_directory_comes_with_the_command_that_makes_it() {
        let found = found("address = 'unix:/nonexistent/perso-milter/milter.sock'");
        assert!(is_one(&found, "chown perso-milter:postfix /nonexistent/perso-milter && chmod 2750"), "{found:?}");
    }

    #[test]
    fn a_file_in_the_sockets_place_is_an_error() {
        let found = found(&format!(
            "address = 'unix:{}'\nmode = '0666'",
            file!().replace("src/", concat!(env!("CARGO_MANIFEST_DIR"), "/src/"))
        ));
        assert!(found.iter().any(|line| line.contains("exists and is no socket")), "{found:?}");
    }
}
