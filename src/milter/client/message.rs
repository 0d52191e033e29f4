//! The message on the MTA's side: its headers as Postfix shows them, and what the milter's edits make of it.

use super::super::negotiate::Agreement;
use super::super::reply::Reply;
use super::super::wire::Protocol;
use super::Recipient;

/// Postfix cuts a header here while milters are active (MILTER.md, "Sizes").
const HEADER_MAX: usize = 60_000;

/// One header, as it stands in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What stands before the colon, without white space at its end.
    pub name: Vec<u8>,
    /// What stands behind the colon, leading white space included; folds are LF and white space.
    pub value: Vec<u8>,
}

/// A message: header block and body, line ends LF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// What follows the empty line, or the first line that is no header.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads a message with LF or CRLF line ends. Like Postfix it takes anything: a line that is neither a header nor the
    /// continuation of one begins the body.
    pub fn parse(raw: &[u8]) -> Self {
        let mut headers: Vec<Header> = Vec::new();
        let mut rest = raw;
        while let Some((line, after)) = split_line(rest) {
            if line.is_empty() {
                rest = after;
                break;
            }
            let continues = matches!(line[0], b' ' | b'\t');
            match (headers.last_mut(), header_of_line(line)) {
                (Some(header), _) if continues => {
                    header.value.push(b'\n');
                    header.value.extend_from_slice(line);
                }
                (_, Some(header)) if !continues => headers.push(header),
                _ => break,
            }
            rest = after;
        }
        for header in &mut headers {
            header.value.truncate(HEADER_MAX);
        }
        let mut body = Vec::with_capacity(rest.len());
        while let Some((line, after)) = split_line(rest) {
            body.extend_from_slice(line);
            body.push(b'\n');
            rest = after;
        }
        Self { headers, body }
    }

    /// The body as a milter is shown it, line ends CRLF.
    pub fn wire_body(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.body.len() + self.body.len() / 32);
        for line in self.body.split_inclusive(|byte| *byte == b'\n') {
            wire.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            wire.extend_from_slice(b"\r\n");
        }
        wire
    }

    /// The message as bytes, line ends LF.
    pub fn render(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for header in &self.headers {
            bytes.extend_from_slice(&header.name);
            bytes.push(b':');
            bytes.extend_from_slice(&header.value);
            bytes.push(b'\n');
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The values of the headers of this name, in any case, without surrounding white space.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = |header: &&Header| header.name.eq_ignore_ascii_case(name.as_bytes());
        let name_matches: Vec<_> = self.headers.iter().filter(named).collect();
        name_matches.into_iter().map(|header| header.value.trim_ascii())
    }
}

/// What Postfix delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The envelope sender.
    pub sender: Vec<u8>,
    /// The recipients, one of them twice if it was added and there already.
    pub recipients: Vec<Recipient>,
    /// The message, without the Received line that Postfix puts on top.
    pub message: Message,
    /// The reason of a quarantine: the message waits in the HOLD queue.
    pub held: Option<Vec<u8>>,
}

/// Applies the edits in their order, as Postfix does (MILTER.md, "Headers", "Recipients").
///
/// Header indexes count the headers as they stand after the edits before. The insert positions 0 and 1 are above and below
/// Postfix's own Received line, which is not in `message`: both are the top here.
pub fn apply(
    modifications: &[Reply<'_>],
    sender: Vec<u8>,
    recipients: Vec<Recipient>,
    message: Message,
    agreement: &Agreement,
) -> Delivery {
    let mut delivery = Delivery { sender, recipients, message, held: None };
    let mut new_body: Option<Vec<u8>> = None;
    for modification in modifications {
        if let Reply::ReplaceBody(chunk) = modification {
            new_body.get_or_insert_default().extend_from_slice(chunk);
        } else {
            apply_one(&mut delivery, modification, agreement);
        }
    }
    if let Some(body) = new_body {
        delivery.message.body = Message::parse(&[b"\n", &body[..]].concat()).body;
    }
    delivery
}

fn apply_one(delivery: &mut Delivery, modification: &Reply<'_>, agreement: &Agreement) {
    let headers = &mut delivery.message.headers;
    let header = |name: &[u8], value: &[u8]| Header { name: name.to_vec(), value: written_value(value, agreement) };
    match modification {
        Reply::AddHeader { name, value } => headers.push(header(name.as_bytes(), value.as_bytes())),
        Reply::InsertHeader { index, name, value } => {
            let position = (*index as usize).saturating_sub(1).min(headers.len());
            headers.insert(position, header(name.as_bytes(), value.as_bytes()));
        }
        Reply::ChangeHeader { index, name, value } => {
            let position = position(headers, name.as_bytes(), *index);
            let new = header(name.as_bytes(), value.as_bytes());
            match (position, value.as_bytes().is_empty()) {
                (Some(position), true) => drop(headers.remove(position)),
                (Some(position), false) => headers[position] = new,
                (None, true) => {}
                (None, false) => headers.push(new),
            }
        }
        Reply::AddRecipient(address) => {
            delivery.recipients.push(Recipient { address: address.as_bytes().to_vec(), arguments: Vec::new() })
        }
        Reply::AddRecipientWith { address, arguments } => delivery.recipients.push(Recipient {
            address: address.as_bytes().to_vec(),
            arguments: arguments
                .as_bytes()
                .split(|byte| *byte == b' ')
                .filter(|argument| !argument.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
        }),
        Reply::DeleteRecipient(address) => {
            let gone = bare_address(address.as_bytes());
            delivery.recipients.retain(|recipient| bare_address(&recipient.address) != gone);
        }
        Reply::ChangeSender { address, .. } => delivery.sender = address.as_bytes().to_vec(),
        Reply::Quarantine(reason) => delivery.held = Some(reason.as_bytes().to_vec()),
        // Verdicts are not edits, and the body was seen to above.
        _ => {}
    }
}

/// Where the header with this index stands; indexes count from 1 among the headers of one name.
fn position(headers: &[Header], name: &[u8], index: u32) -> Option<usize> {
    let mut named = headers.iter().enumerate().filter(|(_, header)| header.name.eq_ignore_ascii_case(name));
    let (position, _) = named.nth((index as usize).checked_sub(1)?)?;
    Some(position)
}

/// A header value as the milter is shown it: cut at a NUL, and without one leading space unless HDR_LEADSPC was agreed.
pub fn wire_value<'a>(value: &'a [u8], agreement: &Agreement) -> &'a [u8] {
    let end = value.iter().position(|byte| *byte == 0);
    let value = &value[..end.unwrap_or(value.len())];
    if agreement.has(Protocol::HDR_LEADSPC) { value } else { value.strip_prefix(b" ").unwrap_or(value) }
}

/// A header value as Postfix writes what the milter sent.
fn written_value(value: &[u8], agreement: &Agreement) -> Vec<u8> {
    let space: &[u8] = if agreement.has(Protocol::HDR_LEADSPC) { b"" } else { b" " };
    [space, value].concat()
}

/// An address without its angle brackets and source route, as Postfix compares it.
pub fn bare_address(address: &[u8]) -> &[u8] {
    let bare = address.strip_prefix(b"<").and_then(|address| address.strip_suffix(b">")).unwrap_or(address);
    if !bare.starts_with(b"@") {
        return bare;
    }
    let route = bare.iter().position(|byte| *byte == b':');
    route.map_or(bare, |colon| &bare[colon + 1..])
}

/// The next line without its end, and what follows; `None` at the end.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

fn header_of_line(line: &[u8]) -> Option<Header> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    let valid = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    valid.then(|| Header { name: name.to_vec(), value: line[colon + 1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::super::super::negotiate::Offer;
    use super::super::super::reply::{HeaderName, HeaderValue, Text};
    use super::super::super::wire::Actions;
    use super::*;

    fn agreement(protocol: Protocol) -> Agreement {
        Agreement::new(Offer { version: 6, actions: Actions::ALL, protocol })
    }

    fn change(index: u32, name: &'static str, value: &'static str) -> Reply<'static> {
        Reply::ChangeHeader {
            index,
            name: HeaderName::new(name.as_bytes()).unwrap(),
            value: HeaderValue::new(value.as_bytes()).unwrap(),
        }
    }

    fn insert(index: u32, name: &'static str, value: &'static str) -> Reply<'static> {
        Reply::InsertHeader {
            index,
            name: HeaderName::new(name.as_bytes()).unwrap(),
            value: HeaderValue::new(value.as_bytes()).unwrap(),
        }
    }

    fn text(address: &'static str) -> Text<'static> {
        Text::new(address.as_bytes()).unwrap()
    }

    fn edited(raw: &str, edits: &[Reply<'_>], protocol: Protocol) -> String {
        let message = Message::parse(raw.as_bytes());
        let delivery = apply(edits, Vec::new(), Vec::new(), message, &agreement(protocol));
        String::from_utf8(delivery.message.render()).unwrap()
    }

    #[test]
    fn headers_keep_their_folds_and_the_body_its_lines() {
        let message = Message::parse(b"Subject: a\r\n\tb\r\nX :c\r\n\r\nbody\r\n.\r\n");
        let headers: Vec<_> = message.headers.iter().map(|header| (&header.name[..], &header.value[..])).collect();
        assert_eq!(headers, [(&b"Subject"[..], &b" a\n\tb"[..]), (b"X", b"c")]);
        assert_eq!(message.body, b"body\n.\n");
        assert_eq!(message.wire_body(), b"body\r\n.\r\n");
    }

    #[test]
    fn what_is_no_header_begins_the_body() {
        let cases: [(&str, usize, &str); 5] = [
            ("", 0, ""),
            ("\nbody", 0, "body\n"),
            ("no header\nA: b\n", 0, "no header\nA: b\n"),
            ("A: b\nno header\n", 1, "no header\n"),
            (" folded\nA: b\n", 0, " folded\nA: b\n"),
        ];
        for (raw, headers, body) in cases {
            let message = Message::parse(raw.as_bytes());
            assert_eq!(message.headers.len(), headers, "{raw:?}");
            assert_eq!(message.body, body.as_bytes(), "{raw:?}");
        }
    }

    #[test]
    fn the_leading_space_is_the_milter_s_only_if_agreed() {
        let with = agreement(Protocol::HDR_LEADSPC);
        let without = agreement(Protocol::NONE);
        let cases: [(&[u8], &[u8], &[u8]); 4] =
            [(b" a", b" a", b"a"), (b"  a", b"  a", b" a"), (b"\ta", b"\ta", b"\ta"), (b" a\0b", b" a", b"a")];
        for (value, shown_with, shown_without) in cases {
            assert_eq!(wire_value(value, &with), shown_with);
            assert_eq!(wire_value(value, &without), shown_without);
        }
        let edits = [change(1, "Subject", "new")];
        assert_eq!(edited("Subject: a\n\n", &edits, Protocol::NONE), "Subject: new\n\n");
        assert_eq!(edited("Subject: a\n\n", &edits, Protocol::HDR_LEADSPC), "Subject:new\n\n");
    }

    #[test]
    fn headers_are_edited_by_index_and_name() {
        let raw = "A: 1\nB: 2\na: 3\n\n";
        let cases = [
            (vec![change(2, "A", "x")], "A: 1\nB: 2\nA: x\n\n"),
            (vec![change(1, "A", "")], "B: 2\na: 3\n\n"),
            (vec![change(3, "A", "x")], "A: 1\nB: 2\na: 3\nA: x\n\n"),
            (vec![change(3, "A", "")], raw),
            // From the highest index down; upwards the second would be missed.
            (vec![change(2, "A", ""), change(1, "A", "")], "B: 2\n\n"),
            (vec![change(1, "A", ""), change(2, "A", "")], "B: 2\na: 3\n\n"),
            (vec![insert(0, "N", "x")], "N: x\nA: 1\nB: 2\na: 3\n\n"),
            (vec![insert(1, "N", "x")], "N: x\nA: 1\nB: 2\na: 3\n\n"),
            (vec![insert(2, "N", "x")], "A: 1\nN: x\nB: 2\na: 3\n\n"),
            (vec![insert(99, "N", "x")], "A: 1\nB: 2\na: 3\nN: x\n\n"),
        ];
        for (edits, expected) in cases {
            assert_eq!(edited(raw, &edits, Protocol::NONE), expected, "{edits:?}");
        }
    }

    #[test]
    fn recipients_are_deleted_by_their_exact_bytes() {
        let original = ["<Ann@example.org>", "<@relay.example:bob@example.org>", "zoe@example.org"];
        let cases = [
            (Reply::DeleteRecipient(text("Ann@example.org")), vec![1, 2]),
            (Reply::DeleteRecipient(text("<Ann@example.org>")), vec![1, 2]),
            (Reply::DeleteRecipient(text("ann@example.org")), vec![0, 1, 2]),
            (Reply::DeleteRecipient(text("<bob@example.org>")), vec![0, 2]),
            (Reply::DeleteRecipient(text("<zoe@example.org>")), vec![0, 1]),
        ];
        for (edit, left) in cases {
            let recipients = original.iter().map(|address| Recipient::new(address)).collect();
            let delivery = apply(
                std::slice::from_ref(&edit),
                Vec::new(),
                recipients,
                Message::default(),
                &agreement(Protocol::NONE),
            );
            let expected: Vec<_> = left.iter().map(|&at: &usize| Recipient::new(original[at])).collect();
            assert_eq!(delivery.recipients, expected, "{edit:?}");
        }
    }

    #[test]
    fn adding_and_then_deleting_one_address_loses_it() {
        let edits = [
            Reply::AddRecipientWith {
                address: text("<ann@example.org>"),
                arguments: text("NOTIFY=NEVER ORCPT=rfc822;ann@example.org"),
            },
            Reply::AddRecipient(text("<ann+Perso@example.org>")),
            Reply::DeleteRecipient(text("<ann@example.org>")),
        ];
        let recipients = vec![Recipient::new("<ann@example.org>")];
        let agreement = agreement(Protocol::NONE);
        let delivery = apply(&edits, Vec::new(), recipients, Message::default(), &agreement);
        assert_eq!(delivery.recipients, [Recipient::new("<ann+Perso@example.org>")]);
    }
}
