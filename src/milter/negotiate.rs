//! Negotiation: what the MTA offers, what we want, and what both then go by.
//!
//! The answer is version min(6, offered) and flags = wanted & offered, since Postfix drops a connection that asks for an
//! action it did not offer, and Sendmail one that asks for any such flag (MILTER.md, "Wire"). For versions below 6 the
//! flags that the version does not know are masked, as libmilter and Postfix do (`SMFI_V2_ACTS`, `MILTER8_V2_PROTO_MASK`).

use super::frame;
use super::wire::{Actions, Protocol, Stage, VERSION_MAX, VERSION_MIN, command};

/// What one side says it can do: the MTA's offer, and the first three fields of the milter's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The newest version it speaks.
    pub version: u32,
    /// What the milter may do.
    pub actions: Actions,
    /// Which events can be left out, or left without a reply.
    pub protocol: Protocol,
}

impl Offer {
    /// What Postfix 3.7.11 offers (MILTER.md, "Wire").
    pub const POSTFIX: Self = Self { version: VERSION_MAX, actions: Actions::ALL, protocol: Protocol::ALL };

    /// Appends the three numbers, without a frame around them.
    pub fn encode(&self, output: &mut Vec<u8>) {
        for number in [self.version, self.actions.bits(), self.protocol.bits()] {
            output.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// What the milter wants. It is the same for every connection of a listener.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Without these the milter cannot do its work: an MTA that lacks one is refused.
    pub required: Actions,
    /// Used where offered.
    pub optional: Actions,
    /// Events not wanted, or wanted without a reply. Where the MTA does not offer a flag, the event comes or gets a reply.
    pub protocol: Protocol,
    /// The macros read at each stage, for example `(Stage::Mail, "i {auth_authen}")`; asked for where the MTA lets us.
    pub macros: Vec<(Stage, String)>,
}

/// Why an MTA cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// The MTA's milter protocol is too old.
    #[error("the MTA speaks milter protocol {0}, and at least {VERSION_MIN} is needed (Postfix: milter_protocol = 6)")]
    Version(u32),
    /// The MTA does not let a milter do what this one is for.
    #[error("the MTA does not offer {missing}, which is needed (it offers {offered})")]
    MissingActions {
        /// The actions that are required and not offered.
        missing: Actions,
        /// What is offered, in the version agreed on.
        offered: Actions,
    },
}

/// An event of the protocol that can be left out or left without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// SMFIC_CONNECT.
    Connect,
    /// SMFIC_HELO.
    Helo,
    /// SMFIC_MAIL.
    Mail,
    /// SMFIC_RCPT.
    Recipient,
    /// SMFIC_DATA.
    Data,
    /// SMFIC_UNKNOWN.
    Unknown,
    /// SMFIC_HEADER.
    Header,
    /// SMFIC_EOH.
    EndOfHeaders,
    /// SMFIC_BODY.
    Body,
    /// SMFIC_BODYEOB: always sent, always answered.
    EndOfMessage,
}

impl Event {
    /// The event that a command byte stands for; `None` for those that never get a reply, and for negotiation.
    #[inline]
    pub fn of_command(byte: u8) -> Option<Self> {
        Some(match byte {
            command::CONNECT => Self::Connect,
            command::HELO => Self::Helo,
            command::MAIL => Self::Mail,
            command::RCPT => Self::Recipient,
            command::DATA => Self::Data,
            command::UNKNOWN => Self::Unknown,
            command::HEADER => Self::Header,
            command::EOH => Self::EndOfHeaders,
            command::BODY => Self::Body,
            command::BODYEOB => Self::EndOfMessage,
            _ => return None,
        })
    }

    /// The flag that leaves the event out, and the one that leaves it without a reply.
    #[inline]
    const fn flags(self) -> (Protocol, Protocol) {
        match self {
            Self::Connect => (Protocol::NOCONNECT, Protocol::NR_CONN),
            Self::Helo => (Protocol::NOHELO, Protocol::NR_HELO),
            Self::Mail => (Protocol::NOMAIL, Protocol::NR_MAIL),
            Self::Recipient => (Protocol::NORCPT, Protocol::NR_RCPT),
            Self::Data => (Protocol::NODATA, Protocol::NR_DATA),
            Self::Unknown => (Protocol::NOUNKNOWN, Protocol::NR_UNKN),
            Self::Header => (Protocol::NOHDRS, Protocol::NR_HDR),
            Self::EndOfHeaders => (Protocol::NOEOH, Protocol::NR_EOH),
            Self::Body => (Protocol::NOBODY, Protocol::NR_BODY),
            Self::EndOfMessage => (Protocol::NONE, Protocol::NONE),
        }
    }
}

/// What MTA and milter go by on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    version: u32,
    actions: Actions,
    protocol: Protocol,
}

impl Agreement {
    /// What two parties agree on whose flags are already known, for example by the milter's answer.
    pub const fn new(answer: Offer) -> Self {
        Self { version: answer.version, actions: answer.actions, protocol: answer.protocol }
    }

    /// The version, 2 to 6.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// What the milter may do.
    pub const fn actions(&self) -> Actions {
        self.actions
    }

    /// The flags in force.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether every one of these actions was granted.
    pub const fn may(&self, actions: Actions) -> bool {
        self.actions.contains(actions)
    }

    /// Whether every one of these flags is in force.
    pub const fn has(&self, protocol: Protocol) -> bool {
        self.protocol.contains(protocol)
    }

    /// Whether the MTA waits for a reply to this event.
    #[inline]
    pub const fn replies_to(&self, event: Event) -> bool {
        let (_, no_reply) = event.flags();
        no_reply.is_empty() || !self.protocol.contains(no_reply)
    }

    /// Whether the MTA does not send this event.
    pub const fn is_skipped(&self, event: Event) -> bool {
        let (skipped, _) = event.flags();
        let too_old = match event {
            Event::Unknown => self.version < 3,
            Event::Data => self.version < 4,
            _ => false,
        };
        too_old || !skipped.is_empty() && self.protocol.contains(skipped)
    }

    /// Appends the answer as a frame: the three numbers, then the macro lists where SETSYMLIST was granted.
    pub fn encode(&self, wanted: &Wanted, output: &mut Vec<u8>) {
        frame::encode(output, command::OPTNEG, |out| {
            Offer { version: self.version, actions: self.actions, protocol: self.protocol }.encode(out);
            if self.may(Actions::SETSYMLIST) {
                for (stage, names) in &wanted.macros {
                    out.extend_from_slice(&stage.number().to_be_bytes());
                    super::command::push_string(out, names.as_bytes());
                }
            }
        });
    }
}

/// Agrees with an MTA on what it offers.
///
/// # Errors
/// [`NegotiationError`] when the MTA is too old or lacks a required action. It is a matter of the MTA's configuration: say
/// so in the log, and close.
pub fn negotiate(offer: &Offer, wanted: &Wanted) -> Result<Agreement, NegotiationError> {
    if offer.version < VERSION_MIN {
        return Err(NegotiationError::Version(offer.version));
    }
    let version = offer.version.min(VERSION_MAX);
    let (known_actions, known_protocol) = known(version);
    let offered = offer.actions.intersection(known_actions);
    let missing = wanted.required.difference(offered);
    if !missing.is_empty() {
        return Err(NegotiationError::MissingActions { missing, offered });
    }
    let mut actions = wanted.required | wanted.optional;
    if !wanted.macros.is_empty() {
        actions = actions | Actions::SETSYMLIST;
    }
    Ok(Agreement {
        version,
        actions: actions.intersection(offered),
        protocol: wanted.protocol.intersection(offer.protocol).intersection(known_protocol),
    })
}

/// The flags that a version of the protocol knows.
const fn known(version: u32) -> (Actions, Protocol) {
    match version {
        0..=2 => (Actions::VERSION_2, Protocol::VERSION_2),
        3 => (Actions::VERSION_2, Protocol::VERSION_3),
        4..=5 => (Actions::VERSION_2, Protocol::VERSION_4),
        _ => (Actions::from_bits(u32::MAX), Protocol::from_bits(u32::MAX)),
    }
}

/// The milter's answer as the MTA reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What is agreed on, if the MTA accepts it.
    pub agreement: Agreement,
    /// The macros that the milter wants at each stage; stages that the protocol does not know are left out.
    pub macros: Vec<(Stage, Vec<u8>)>,
}

/// Why an MTA drops a milter over its answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Fewer than three numbers, or a macro list that is cut.
    #[error("the milter's answer to the negotiation is cut")]
    Truncated,
    /// A version that was not offered, or none that exists.
    #[error("the milter answers version {0}, which was not offered")]
    Version(u32),
    /// Actions that were not offered: Postfix drops the connection.
    #[error("the milter asks for {0}, which was not offered")]
    Actions(Actions),
    /// Protocol flags that were not offered: Sendmail drops the connection.
    #[error("the milter asks for {0}, which was not offered")]
    Protocol(Protocol),
}

impl Answer {
    /// Reads the payload of the milter's answer to `offer`.
    ///
    /// # Errors
    /// Whatever makes Postfix or Sendmail drop the connection.
    pub fn parse(payload: &[u8], offer: &Offer) -> Result<Self, AnswerError> {
        let mut rest = payload;
        let version = number(&mut rest)?;
        let actions = Actions::from_bits(number(&mut rest)?);
        let protocol = Protocol::from_bits(number(&mut rest)?);
        if !(VERSION_MIN..=offer.version).contains(&version) {
            return Err(AnswerError::Version(version));
        }
        let surplus = actions.difference(offer.actions);
        if !surplus.is_empty() {
            return Err(AnswerError::Actions(surplus));
        }
        let surplus = protocol.difference(offer.protocol);
        if !surplus.is_empty() {
            return Err(AnswerError::Protocol(surplus));
        }
        let mut macros = Vec::new();
        while !rest.is_empty() {
            let stage = number(&mut rest)?;
            let (names, after) = super::command::split_nul(rest).ok_or(AnswerError::Truncated)?;
            rest = after;
            macros.extend(Stage::from_number(stage).map(|stage| (stage, names.to_vec())));
        }
        Ok(Self { agreement: Agreement { version, actions, protocol }, macros })
    }
}

fn number(rest: &mut &[u8]) -> Result<u32, AnswerError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(AnswerError::Truncated)?;
    *rest = after;
    Ok(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(version: u32, actions: u32, protocol: u32) -> Offer {
        Offer { version, actions: Actions::from_bits(actions), protocol: Protocol::from_bits(protocol) }
    }

    fn wanted() -> Wanted {
        Wanted {
            required: Actions::ADDHDRS | Actions::CHGHDRS,
            optional: Actions::ADDRCPT_PAR | Actions::QUARANTINE,
            protocol: Protocol::from_bits(0x47390) | Protocol::HDR_LEADSPC,
            macros: vec![(Stage::Mail, "i {auth_authen}".to_owned())],
        }
    }

    #[test]
    fn flags_are_what_is_wanted_and_offered_and_known() {
        // offered (version, actions, protocol), then agreed
        let cases = [
            ((6, 0x1FF, 0x1F_FFFF), (6, 0x1B1, 0x14_7390)),
            ((9, u32::MAX, u32::MAX), (6, 0x1B1, 0x14_7390)),
            ((6, 0x11, 0), (6, 0x11, 0)),
            ((6, 0x3F, 0x80), (6, 0x31, 0x80)),
            ((5, 0x1FF, 0x1F_FFFF), (5, 0x31, 0x310)),
            ((4, 0x1FF, 0x1F_FFFF), (4, 0x31, 0x310)),
            ((3, 0x1FF, 0x1F_FFFF), (3, 0x31, 0x110)),
            ((2, 0x3F, 0x7F), (2, 0x31, 0x10)),
            ((2, 0x1FF, 0x1F_FFFF), (2, 0x31, 0x10)),
        ];
        for (offered, (version, actions, protocol)) in cases {
            let agreement = negotiate(&offer(offered.0, offered.1, offered.2), &wanted()).unwrap();
            assert_eq!(agreement, Agreement::new(offer(version, actions, protocol)), "{offered:?}");
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused_by_name() {
        let cases = [
            (
                offer(1, 0x1FF, 0),
                "the MTA speaks milter protocol 1, and at least 2 is needed (Postfix: milter_protocol = 6)",
            ),
            (
                offer(0, 0, 0),
                "the MTA speaks milter protocol 0, and at least 2 is needed (Postfix: milter_protocol = 6)",
            ),
            (
                offer(6, 0x0E, 0),
                "the MTA does not offer ADDHDRS|CHGHDRS, which is needed (it offers CHGBODY|ADDRCPT|DELRCPT)",
            ),
        ];
        for (offer, text) in cases {
            assert_eq!(negotiate(&offer, &wanted()).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn an_action_that_the_version_does_not_know_is_missing() {
        let wanted = Wanted { required: Actions::ADDRCPT_PAR, ..Wanted::default() };
        assert_eq!(
            negotiate(&offer(5, 0x1FF, 0), &wanted),
            Err(NegotiationError::MissingActions { missing: Actions::ADDRCPT_PAR, offered: Actions::VERSION_2 })
        );
    }

    #[test]
    fn the_answer_reads_as_it_was_written() {
        let agreement = negotiate(&Offer::POSTFIX, &wanted()).unwrap();
        let mut bytes = Vec::new();
        agreement.encode(&wanted(), &mut bytes);
        let mut expected = b"\0\0\0\x21O\0\0\0\x06\0\0\x01\xb1\0\x14\x73\x90".to_vec();
        expected.extend_from_slice(b"\0\0\0\x02i {auth_authen}\0");
        assert_eq!(bytes, expected);
        let answer = Answer::parse(&bytes[5..], &Offer::POSTFIX).unwrap();
        assert_eq!(answer.agreement, agreement);
        assert_eq!(answer.macros, [(Stage::Mail, b"i {auth_authen}".to_vec())]);
    }

    #[test]
    fn macro_lists_are_sent_only_to_an_mta_that_takes_them() {
        for offer in [offer(6, 0xFF, 0), offer(5, 0x1FF, 0)] {
            let agreement = negotiate(&offer, &wanted()).unwrap();
            let mut bytes = Vec::new();
            agreement.encode(&wanted(), &mut bytes);
            assert_eq!(bytes.len(), 4 + 1 + 12, "{offer:?}");
        }
    }

    #[test]
    fn an_mta_drops_what_it_did_not_offer() {
        let offered = offer(6, 0x3F, 0x7F);
        let answer = |version, actions, protocol| {
            let mut bytes = Vec::new();
            offer(version, actions, protocol).encode(&mut bytes);
            bytes
        };
        let mut cut_list = answer(6, 1, 0);
        cut_list.extend_from_slice(b"\0\0\0\x02i");
        let cases = [
            (answer(7, 0, 0), AnswerError::Version(7)),
            (answer(1, 0, 0), AnswerError::Version(1)),
            (answer(6, 0x41, 0), AnswerError::Actions(Actions::CHGFROM)),
            (answer(6, 0, 0x480), AnswerError::Protocol(Protocol::from_bits(0x480))),
            (answer(6, 0, 0)[..11].to_vec(), AnswerError::Truncated),
            (cut_list, AnswerError::Truncated),
        ];
        for (bytes, error) in cases {
            assert_eq!(Answer::parse(&bytes, &offered), Err(error));
        }
    }

    #[test]
    fn which_events_come_and_which_are_answered() {
        use Event::*;
        let best = Agreement::new(offer(6, 0, 0x47390));
        let v2 = Agreement::new(offer(2, 0, 0));
        // event, sent and answered with the best flags, sent and answered in version 2
        let cases = [
            (Connect, (true, false), (true, true)),
            (Helo, (true, false), (true, true)),
            (Mail, (true, false), (true, true)),
            (Recipient, (true, true), (true, true)),
            (Data, (false, true), (false, true)),
            (Unknown, (false, true), (false, true)),
            (Header, (true, false), (true, true)),
            (EndOfHeaders, (true, false), (true, true)),
            (Body, (false, true), (true, true)),
            (EndOfMessage, (true, true), (true, true)),
        ];
        for (event, in_best, in_v2) in cases {
            for (agreement, expected) in [(best, in_best), (v2, in_v2)] {
                let actual = (!agreement.is_skipped(event), agreement.replies_to(event));
                assert_eq!(actual, expected, "{event:?} {agreement:?}");
            }
        }
    }
}
