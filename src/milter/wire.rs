//! The constants of the milter protocol, each once, under its SMFI name.
//!
//! Sources: `mfdef.h` and `mfapi.h` of Sendmail 8.17.1, `milter8.c` of Postfix 3.7, and MILTER.md, "Wire".
//! A frame is a u32 big-endian length (the command byte counts, so at least 1), the command byte, the payload.

use std::fmt;
use std::ops::BitOr;

/// SMFI_PROT_VERSION: the newest version of the protocol, and the one we answer an MTA that knows it.
pub const VERSION_MAX: u32 = 6;
/// SMFI_PROT_VERSION_MIN: the oldest version we speak. Version 1 has other semantics and no MTA in use sends it.
pub const VERSION_MIN: u32 = 2;

/// MILTER_LEN_BYTES: the size of a frame's length field.
pub const LENGTH_BYTES: usize = 4;
/// MILTER_CHUNK_SIZE: the most body bytes in one frame.
pub const BODY_CHUNK_MAX: usize = 65_535;
/// The largest frame (command byte and payload) of an MTA that was not asked for larger ones: a full body chunk.
pub const FRAME_MAX: usize = BODY_CHUNK_MAX + 1;

/// Command bytes, MTA to milter (SMFIC_).
pub mod command {
    /// SMFIC_ABORT: forget the message, keep the connection. No reply.
    pub const ABORT: u8 = b'A';
    /// SMFIC_BODY: a chunk of the body.
    pub const BODY: u8 = b'B';
    /// SMFIC_CONNECT: the MTA's client.
    pub const CONNECT: u8 = b'C';
    /// SMFIC_MACRO: macros of the event that follows. No reply.
    pub const MACRO: u8 = b'D';
    /// SMFIC_BODYEOB: end of message.
    pub const BODYEOB: u8 = b'E';
    /// SMFIC_HELO: HELO or EHLO.
    pub const HELO: u8 = b'H';
    /// SMFIC_QUIT_NC: the connection ends, another follows on this socket. No reply.
    pub const QUIT_NC: u8 = b'K';
    /// SMFIC_HEADER: one header.
    pub const HEADER: u8 = b'L';
    /// SMFIC_MAIL: envelope sender.
    pub const MAIL: u8 = b'M';
    /// SMFIC_EOH: end of headers.
    pub const EOH: u8 = b'N';
    /// SMFIC_OPTNEG: negotiation, in both directions.
    pub const OPTNEG: u8 = b'O';
    /// SMFIC_QUIT: the connection ends. No reply.
    pub const QUIT: u8 = b'Q';
    /// SMFIC_RCPT: one recipient.
    pub const RCPT: u8 = b'R';
    /// SMFIC_DATA: the DATA command (version 4 on).
    pub const DATA: u8 = b'T';
    /// SMFIC_UNKNOWN: an SMTP command that the MTA does not know (version 3 on).
    pub const UNKNOWN: u8 = b'U';
}

/// Reply bytes, milter to MTA (SMFIR_). The answer to a negotiation is [`command::OPTNEG`].
pub mod reply {
    /// SMFIR_ADDRCPT: add a recipient.
    pub const ADDRCPT: u8 = b'+';
    /// SMFIR_DELRCPT: delete a recipient.
    pub const DELRCPT: u8 = b'-';
    /// SMFIR_ADDRCPT_PAR: add a recipient with ESMTP arguments.
    pub const ADDRCPT_PAR: u8 = b'2';
    /// SMFIR_SHUTDOWN: 421, and the MTA closes its SMTP session.
    pub const SHUTDOWN: u8 = b'4';
    /// SMFIR_ACCEPT.
    pub const ACCEPT: u8 = b'a';
    /// SMFIR_REPLBODY: replace the body.
    pub const REPLBODY: u8 = b'b';
    /// SMFIR_CONTINUE.
    pub const CONTINUE: u8 = b'c';
    /// SMFIR_DISCARD: for the whole message, at RCPT too.
    pub const DISCARD: u8 = b'd';
    /// SMFIR_CHGFROM: change the envelope sender.
    pub const CHGFROM: u8 = b'e';
    /// SMFIR_ADDHEADER.
    pub const ADDHEADER: u8 = b'h';
    /// SMFIR_INSHEADER: insert a header at a position.
    pub const INSHEADER: u8 = b'i';
    /// SMFIR_CHGHEADER: change or delete a header.
    pub const CHGHEADER: u8 = b'm';
    /// SMFIR_PROGRESS: still busy, restart the timeout.
    pub const PROGRESS: u8 = b'p';
    /// SMFIR_QUARANTINE: hold the message.
    pub const QUARANTINE: u8 = b'q';
    /// SMFIR_REJECT: 5xx.
    pub const REJECT: u8 = b'r';
    /// SMFIR_SKIP: no more events of this kind.
    pub const SKIP: u8 = b's';
    /// SMFIR_TEMPFAIL: 4xx.
    pub const TEMPFAIL: u8 = b't';
    /// SMFIR_REPLYCODE: a reply text of our own.
    pub const REPLYCODE: u8 = b'y';
}

/// Address families in a connect command (SMFIA_).
pub mod family {
    /// SMFIA_UNKNOWN: no address follows.
    pub const UNKNOWN: u8 = b'U';
    /// SMFIA_UNIX.
    pub const UNIX: u8 = b'L';
    /// SMFIA_INET.
    pub const INET: u8 = b'4';
    /// SMFIA_INET6.
    pub const INET6: u8 = b'6';
}

macro_rules! flags {
    ($(#[$meta:meta])* $name:ident { $($(#[$flag_meta:meta])* $flag:ident = $bit:expr;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name(u32);

        impl $name {
            /// No flag.
            pub const NONE: Self = Self(0);
            $($(#[$flag_meta])* pub const $flag: Self = Self($bit);)*

            const NAMES: &'static [(u32, &'static str)] = &[$(($bit, stringify!($flag))),*];

            /// The flags with these bits; bits without a name are kept.
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The bits as on the wire.
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether every flag of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The flags set in both.
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// The flags set in either; `|` where a constant is needed.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The flags set here and not in `other`.
            pub const fn difference(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether no flag is set.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }
        }

        impl BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        /// The SMFI names with `|` between them, unnamed bits in hexadecimal, `none` for no flag.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_flags(f, self.0, Self::NAMES)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

flags! {
    /// What a milter may do at end of message (SMFIF_).
    Actions {
        /// SMFIF_ADDHDRS: add and insert headers.
        ADDHDRS = 0x1;
        /// SMFIF_CHGBODY: replace the body.
        CHGBODY = 0x2;
        /// SMFIF_ADDRCPT: add recipients.
        ADDRCPT = 0x4;
        /// SMFIF_DELRCPT: delete recipients.
        DELRCPT = 0x8;
        /// SMFIF_CHGHDRS: change and delete headers.
        CHGHDRS = 0x10;
        /// SMFIF_QUARANTINE: hold the message.
        QUARANTINE = 0x20;
        /// SMFIF_CHGFROM: change the envelope sender.
        CHGFROM = 0x40;
        /// SMFIF_ADDRCPT_PAR: add recipients with ESMTP arguments.
        ADDRCPT_PAR = 0x80;
        /// SMFIF_SETSYMLIST: name the macros wanted at each stage.
        SETSYMLIST = 0x100;
    }
}

flags! {
    /// Which events a milter wants, and which of them it answers (SMFIP_).
    Protocol {
        /// SMFIP_NOCONNECT: connect is not sent.
        NOCONNECT = 0x1;
        /// SMFIP_NOHELO: HELO is not sent.
        NOHELO = 0x2;
        /// SMFIP_NOMAIL: MAIL is not sent.
        NOMAIL = 0x4;
        /// SMFIP_NORCPT: RCPT is not sent.
        NORCPT = 0x8;
        /// SMFIP_NOBODY: the body is not sent.
        NOBODY = 0x10;
        /// SMFIP_NOHDRS: headers are not sent.
        NOHDRS = 0x20;
        /// SMFIP_NOEOH: end of headers is not sent.
        NOEOH = 0x40;
        /// SMFIP_NR_HDR: headers get no reply.
        NR_HDR = 0x80;
        /// SMFIP_NOUNKNOWN: unknown SMTP commands are not sent.
        NOUNKNOWN = 0x100;
        /// SMFIP_NODATA: DATA is not sent.
        NODATA = 0x200;
        /// SMFIP_SKIP: the MTA understands the reply SKIP.
        SKIP = 0x400;
        /// SMFIP_RCPT_REJ: recipients that the MTA itself refuses are shown as well.
        RCPT_REJ = 0x800;
        /// SMFIP_NR_CONN: connect gets no reply.
        NR_CONN = 0x1000;
        /// SMFIP_NR_HELO: HELO gets no reply.
        NR_HELO = 0x2000;
        /// SMFIP_NR_MAIL: MAIL gets no reply.
        NR_MAIL = 0x4000;
        /// SMFIP_NR_RCPT: RCPT gets no reply.
        NR_RCPT = 0x8000;
        /// SMFIP_NR_DATA: DATA gets no reply.
        NR_DATA = 0x1_0000;
        /// SMFIP_NR_UNKN: unknown SMTP commands get no reply.
        NR_UNKN = 0x2_0000;
        /// SMFIP_NR_EOH: end of headers gets no reply.
        NR_EOH = 0x4_0000;
        /// SMFIP_NR_BODY: body chunks get no reply.
        NR_BODY = 0x8_0000;
        /// SMFIP_HDR_LEADSPC: header values keep, and must bring, the space after the colon.
        HDR_LEADSPC = 0x10_0000;
        /// SMFIP_MDS_256K: frames up to 256 KiB.
        MDS_256K = 0x1000_0000;
        /// SMFIP_MDS_1M: frames up to 1 MiB.
        MDS_1M = 0x2000_0000;
    }
}

impl Actions {
    /// What Postfix 3.7.11 offers (MILTER.md, "Wire"); SMFI_CURR_ACTS.
    pub const ALL: Self = Self(0x1FF);
    /// What versions 2 to 5 know (SMFI_V2_ACTS of libmilter): up to QUARANTINE.
    pub const VERSION_2: Self = Self(0x3F);
}

impl Protocol {
    /// What Postfix 3.7.11 offers (MILTER.md, "Wire").
    pub const ALL: Self = Self(0x1F_FFFF);
    /// What version 2 knows (SMFI_V2_PROT of libmilter, MILTER8_V2_PROTO_MASK of Postfix).
    pub const VERSION_2: Self = Self(0x7F);
    /// What version 3 knows: it brought SMFIC_UNKNOWN (MILTER8_V3_PROTO_MASK).
    pub const VERSION_3: Self = Self::VERSION_2.union(Self::NOUNKNOWN);
    /// What versions 4 and 5 know: 4 brought SMFIC_DATA (MILTER8_V4_PROTO_MASK).
    pub const VERSION_4: Self = Self::VERSION_3.union(Self::NODATA);
}

/// The stage that a list of wanted macros belongs to (SMFIM_). Their order is not that of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Stage {
    /// SMFIM_CONNECT.
    Connect = 0,
    /// SMFIM_HELO.
    Helo = 1,
    /// SMFIM_ENVFROM.
    Mail = 2,
    /// SMFIM_ENVRCPT.
    Recipient = 3,
    /// SMFIM_DATA.
    Data = 4,
    /// SMFIM_EOM.
    EndOfMessage = 5,
    /// SMFIM_EOH.
    EndOfHeaders = 6,
}

impl Stage {
    /// The stage with this number, if there is one.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Connect, Self::Helo, Self::Mail, Self::Recipient, Self::Data, Self::EndOfMessage, Self::EndOfHeaders]
            .into_iter()
            .find(|stage| stage.number() == number)
    }

    /// The number on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

fn write_flags(f: &mut fmt::Formatter<'_>, bits: u32, names: &[(u32, &str)]) -> fmt::Result {
    if bits == 0 {
        return f.write_str("none");
    }
    let mut rest = bits;
    let mut separator = "";
    for (bit, name) in names {
        if rest & bit != 0 {
            write!(f, "{separator}{name}")?;
            separator = "|";
            rest &= !bit;
        }
    }
    if rest != 0 {
        write!(f, "{separator}{rest:#x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_postfix_are_the_named_ones() {
        let named = |names: &[(u32, &str)]| names.iter().fold(0, |all, (bit, _)| all | bit);
        assert_eq!(named(Actions::NAMES), Actions::ALL.bits());
        let extended = Protocol::MDS_256K | Protocol::MDS_1M;
        assert_eq!(named(Protocol::NAMES), (Protocol::ALL | extended).bits());
    }

    #[test]
    fn the_flags_that_spare_most_round_trips() {
        let flags = Protocol::NOBODY
            | Protocol::NOUNKNOWN
            | Protocol::NODATA
            | Protocol::NR_CONN
            | Protocol::NR_HELO
            | Protocol::NR_MAIL
            | Protocol::NR_HDR
            | Protocol::NR_EOH;
        assert_eq!(flags.bits(), 0x47390);
    }

    #[test]
    fn flags_are_displayed_by_name() {
        let cases = [(0, "none"), (0x5, "ADDHDRS|ADDRCPT"), (0x8000_0010, "CHGHDRS|0x80000000")];
        for (bits, text) in cases {
            assert_eq!(Actions::from_bits(bits).to_string(), text);
        }
    }

    #[test]
    fn stages_are_found_by_number() {
        for number in 0..=6 {
            assert_eq!(Stage::from_number(number).map(Stage::number), Some(number));
        }
        assert_eq!(Stage::from_number(7), None);
    }
}
