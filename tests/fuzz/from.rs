//! The From header: exactly one clean address, or nobody.

use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::identity::{Sender, header_sender};

/// Longer than what is read.
const TOO_LONG: usize = 4096;

/// `data` is the value of the From header.
pub fn holds(data: &[u8]) {
    let Some(address) = header_sender(data) else { return };
    assert!(data.len() <= TOO_LONG);
    assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address), "not its own normal form");
    let envelope = Sender::header(address.clone());
    let sender = Sender::in_header(data, Some(&envelope)).expect("whom it names");
    assert!(sender.address() == &address, "somebody else where the envelope sender is known");
    let text = String::from_utf8_lossy(data);
    assert!(stands_in(&text, &address), "{} is not in the header", address.as_str());
    check_surroundings(data, &address);
}

/// Whether the address is written there, as people write it: blanks, comments and quotes set aside.
fn stands_in(text: &str, address: &Address) -> bool {
    let plain: String = without_comments(text).chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
    plain.match_indices('@').any(|(at, _)| {
        let local = &plain[..at];
        let is_local = local.to_lowercase().ends_with(address.local());
        let domain = plain[at + 1..].split(['>', '<']).next().unwrap_or_default();
        is_local && Domain::parse(domain).is_ok_and(|domain| domain == address.domain_owned())
    })
}

/// Comments nest (RFC 5322, 3.2.2), and are none within a quoted string.
fn without_comments(text: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    for c in text.chars() {
        let special = !std::mem::take(&mut escaped);
        match c {
            '\\' if special && (quoted || depth > 0) => escaped = true,
            '"' if special && depth == 0 => quoted = !quoted,
            '(' if special && !quoted => depth += 1,
            ')' if special && !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            out.push(c);
        }
    }
    out
}

/// A comment beside it changes nothing; a second address, a group or a route makes it nobody.
fn check_surroundings(data: &[u8], address: &Address) {
    let with = |before: &[u8], after: &[u8]| header_sender(&[before, data, after].concat());
    if data.len() + 64 > TOO_LONG {
        return;
    }
    for (before, after) in [(&b"(a@b.example) "[..], &b""[..]), (b" \n\t", b" "), (b"", b" (<a@b.example>, \\) )")] {
        assert_eq!(with(before, after).as_ref(), Some(address), "with a comment");
    }
    for (before, after) in [
        (&b""[..], &b", a@b.example"[..]),
        (b"", b" <a@b.example>"),
        (b"", b" a@b.example"),
        (b"", b","),
        (b"", b";"),
        (b"", b">"),
        (b"", b"\0"),
        (b"a@b.example, ", b""),
        (b"<a@b.example> ", b""),
        (b"a@b.example ", b""),
        (b"friends: ", b";"),
        (b"@b.example:", b""),
    ] {
        let found = with(before, after);
        assert_eq!(
            found,
            None,
            "with {:?} and {:?}",
            before.escape_ascii().to_string(),
            after.escape_ascii().to_string()
        );
    }
}
