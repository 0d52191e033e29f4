//! The probe message: what it is, its code, and when to confirm it, in French and in English.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail_builder::MessageBuilder;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;

use crate::store::{Probe, ProbeCode};

/// What a probe message says.
pub struct ProbeMessage<'a> {
    /// The probe it belongs to.
    pub probe: &'a Probe,
    /// What is to be typed where it lies in its folder.
    pub code: &'a ProbeCode,
    /// The name of the organisation.
    pub organisation: &'a str,
    /// From.
    pub from: &'a str,
    /// To, with the folder in it.
    pub to: &'a str,
}

impl ProbeMessage<'_> {
    /// The message as it is sent.
    ///
    /// # Errors
    /// None: it is written to memory.
    pub fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let sent = self.probe.sent;
        let folder = self.probe.folder.name.as_str();
        MessageBuilder::new()
            .from(("perso-milter", self.from))
            .to(self.to)
            .subject(format!("perso-milter: essai du dossier {folder} / test of the folder {folder}"))
            .date(Date::new(sent.as_second()))
            .message_id(self.message_id(sent))
            // RFC 3834: no out-of-office notice is to answer it.
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(format!("{}\n-- \n\n{}", self.french(), self.english()))
            .write_to_vec()
    }

    fn message_id(&self, sent: Timestamp) -> String {
        let domain = self.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let Probe { organisation, folder, .. } = self.probe;
        format!("probe.{}.{organisation}.{}@{domain}", sent.as_second(), folder.name)
    }

    fn french(&self) -> String {
        let Self { probe, code, organisation, to, .. } = self;
        let (folder, delimiter, day) = (&probe.folder.name, probe.folder.delimiter, self.last_day());
        format!(
            "(In English below.)\n\n\
             perso-milter a envoyé ce message à {to} pour savoir si le courrier de l'organisation {organisation} peut \
             être classé dans le dossier {folder}. Regardez où il se trouve.\n\n\
             - Dans le dossier {folder} : le classement fonctionne. Tapez sur le serveur :\n\n\
             \x20   perso-milter probe confirm {code}\n\n\
             - Dans la boîte de réception, ou ailleurs : ne tapez pas cette commande. La messagerie ne connaît pas le \
             séparateur « {delimiter} » ; perso-milter postfix-config --folders affiche les lignes qu'il lui faut.\n\n\
             Le code vaut jusqu'au {day}. Si vous n'attendiez pas ce message, ignorez-le.\n"
        )
    }

    fn english(&self) -> String {
        let Self { probe, code, organisation, to, .. } = self;
        let (folder, delimiter, day) = (&probe.folder.name, probe.folder.delimiter, self.last_day());
        format!(
            "perso-milter sent this message to {to} to learn whether mail of the organisation {organisation} can be \
             filed into the folder {folder}. See where it lies.\n\n\
             - In the folder {folder}: filing works. Type on the server:\n\n\
             \x20   perso-milter probe confirm {code}\n\n\
             - In the inbox, or elsewhere: do not type that command. The mail store does not know the delimiter \
             \"{delimiter}\"; perso-milter postfix-config --folders prints the lines it needs.\n\n\
             The code is good until {day}. If you did not expect this message, ignore it.\n"
        )
    }

    fn last_day(&self) -> String {
        self.probe.expires.to_zoned(TimeZone::UTC).date().to_string()
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;
    use crate::store::{AddressedFolder, OrganisationId};

    #[test]
    fn it_says_in_both_languages_where_it_must_lie_and_what_to_type() {
        let folder = AddressedFolder { delimiter: '+', name: "Perso".parse().expect("a folder") };
        let sent = Timestamp::from_second(1_800_000_000).expect("a time");
        let expires = Timestamp::from_second(1_800_000_000 + 7 * 86_400).expect("a time");
        let probe = Probe { organisation: OrganisationId::new(1), folder, sent, expires };
        let code = "ABCD-EFGH-JKMN".parse().expect("a code");
        let (from, to) = ("alice@example.org", "alice+Perso@example.org");
        let message = ProbeMessage { probe: &probe, code: &code, organisation: "Société", from, to };
        let bytes = message.to_bytes().expect("in memory");
        assert!(
            bytes.is_ascii() && bytes.split(|&byte| byte == b'\n').all(|line| line.len() < 100),
            "fit for any relay"
        );

        let parsed = MessageParser::default().parse(&bytes).expect("a message");
        let text = parsed.body_text(0).expect("a text");
        for half in text.split("\n-- ") {
            for part in ["Perso", "Société", to, "    perso-milter probe confirm ABCD-EFGH-JKMN", "2027-01-22", "+"] {
                assert!(half.contains(part), "{part}: {half}");
            }
        }
        assert!(text.contains("ne tapez pas cette commande") && text.contains("do not type that command"), "{text}");
        assert_eq!(parsed.subject(), Some("perso-milter: essai du dossier Perso / test of the folder Perso"));
        assert_eq!(parsed.date().map(|date| date.to_timestamp()), Some(1_800_000_000));
        assert!(parsed.header("Auto-Submitted").is_some());
        let whole = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(whole(&bytes).contains("Message-ID: <probe.1800000000.1.Perso@example.org>\r\n"), "{}", whole(&bytes));
    }
}
