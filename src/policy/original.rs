//! The original recipient of a copy, as a delivery status notification names it: `ORCPT=rfc822;ADDRESS` (RFC 3461, 4.2).
//!
//! ADDRESS is xtext: `+` and two upper-case hexadecimal digits stand for a byte. An MTA writes there whom the sender had
//! addressed before aliases were expanded; so may the sender, whatever they like.

use super::address::Address;

/// The address in the first ORCPT of a recipient's ESMTP arguments; `None` where there is none, or it is no clean address.
pub fn original_recipient<'a>(arguments: impl IntoIterator<Item = &'a [u8]>) -> Option<Address> {
    let value = arguments.into_iter().find_map(|argument| value_of(argument, b"ORCPT"))?;
    let at = value.iter().position(|&b| b == b';')?;
    let (kind, text) = (&value[..at], &value[at + 1..]);
    // utf-8 (RFC 6533, 3) has an escape of its own, for which no address of ours has a use.
    let is_mail = kind.eq_ignore_ascii_case(b"rfc822") || kind.eq_ignore_ascii_case(b"utf-8");
    Address::from_path(&decoded(text).filter(|_| is_mail)?)
}

/// The argument that names an address so, as Postfix writes it.
pub fn argument(original: &str) -> String {
    let escape = |c: char| match c {
        '!'..='~' if !matches!(c, '+' | '=') => c.to_string(),
        other => other.to_string().bytes().map(|byte| format!("+{byte:02X}")).collect(),
    };
    format!("ORCPT=rfc822;{}", original.chars().map(escape).collect::<String>())
}

fn value_of<'a>(argument: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = argument.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| rest.strip_prefix(b"="))?
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'+' {
            out.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_address_is_read_from_xtext() {
        for (argument, expected) in [
            ("ORCPT=rfc822;bob@d.example", Some("bob@d.example")),
            ("orcpt=RFC822;Bob@D.example", Some("bob@d.example")),
            ("ORCPT=rfc822;bob+2Bnews@d.example", Some("bob+news@d.example")),
            ("ORCPT=rfc822;<bob@d.example>", Some("bob@d.example")),
            ("ORCPT=utf-8;bob@d.example", Some("bob@d.example")),
            ("ORCPT=x400;bob@d.example", None),
            ("ORCPT=rfc822;bob+2@d.example", None),
            ("ORCPT=rfc822;bob+", None),
            ("ORCPT=rfc822;", None),
            ("ORCPT=bob@d.example", None),
            ("ORCPT", None),
            ("NOTIFY=NEVER", None),
        ] {
            let found = original_recipient([&b"NOTIFY=FAILURE"[..], argument.as_bytes()]);
            assert_eq!(found.as_ref().map(Address::as_str), expected, "{argument}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for address in ["bob@d.example", "bob+news=x@d.example", "béa@d.example"] {
            let argument = argument(address);
            assert!(argument.bytes().all(|byte| byte.is_ascii_graphic()), "{argument}");
            assert_eq!(original_recipient([argument.as_bytes()]), Address::parse(address).ok(), "{argument}");
        }
        assert_eq!(argument("bob+x@d.example"), "ORCPT=rfc822;bob+2Bx@d.example");
    }

    proptest! {
        #[test]
        fn any_argument_is_read_or_passed_over(argument in proptest::collection::vec(any::<u8>(), 0..60)) {
            original_recipient([&b"ORCPT=rfc822;"[..], &argument].concat().split(|b| *b == b' '));
        }
    }
}
