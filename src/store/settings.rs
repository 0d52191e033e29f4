//! What an organisation sets apart from the configuration's defaults.
//!
//! Kept as JSON with text values, set on the command line as `KEY=VALUE`; an empty value goes back to the default.
//! Every value is safe where it ends up: in a header, a reply or the detail of an address.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::activity::MAX_ACTIVITY_DAYS;
use crate::network::Network;
use crate::policy::action::{BlackAction, LateAction, OutboundAction, PersonalActions};
use crate::policy::subject::Tag;
use crate::policy::text::{FolderName, HeaderName, ReplyText};

/// Most spam headers, spam prefixes, and networks of the console.
pub const MAX_NAMES: usize = 16;
/// For how many minutes a session of the console may rest; the first where an organisation says nothing else.
pub const SESSION_IDLE: [u16; 3] = [30, 60, 90];
/// The languages of the console, as [`OrganisationSettings::language`] names them.
pub const LANGUAGES: [&str; 2] = ["fr", "en"];
/// Longest text about the data protection officer, in characters.
pub const MAX_DPO: usize = 200;

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such key.
    #[error("there is no setting {0}; the settings are {known}", known = KEYS.join(", "))]
    UnknownKey(String),
    /// The key exists, the value is not possible.
    #[error("{key}: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// What the value must be.
        why: String,
    },
}

/// The keys, as [`OrganisationSettings::set`] takes them.
pub const KEYS: [&str; 19] = [
    "personal_actions",
    "tag",
    "folder",
    "sensitivity",
    "outbound",
    "black_action",
    "late_action",
    "junk_folder",
    "reject_text",
    "spam_headers",
    "spam_prefixes",
    "globs",
    "markings",
    "session_idle",
    "console_networks",
    "create_users",
    "language",
    "dpo",
    "activity_days",
];

/// An organisation's settings; `None` follows the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrganisationSettings {
    /// What is done with personal messages: `tag,folder,mark` in any combination, or `none`.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub personal_actions: Option<PersonalActions>,
    /// The text put before the Subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The folder of personal messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Whether `Sensitivity: Personal` stands beside the mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<bool>,
    /// What is done with what users send to people on their personal lists.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub outbound: Option<OutboundAction>,
    /// What is done with messages from blocked senders.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub black_action: Option<BlackAction>,
    /// What is done instead, where that would reach others too.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub late_action: Option<LateAction>,
    /// The folder of `junk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub junk_folder: Option<String>,
    /// What a rejected sender reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject_text: Option<String>,
    /// Headers of an earlier spam filter, removed for wanted senders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spam_headers: Option<Vec<String>>,
    /// Subject prefixes of an earlier spam filter, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spam_prefixes: Option<Vec<String>>,
    /// Whether users may enter glob patterns, which the relay can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub globs: Option<bool>,
    /// Which of `tag,folder,mark` users may choose, or `none`.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub markings: Option<PersonalActions>,
    /// For how many minutes a session of the console may rest: one of [`SESSION_IDLE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_idle: Option<u16>,
    /// The networks from which the console may be used, in CIDR notation; `None` is everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_networks: Option<Vec<String>>,
    /// Whether the first sign-in with an address of its domains makes a user: `on` or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_users: Option<bool>,
    /// The language of the console where the user chose none: one of [`LANGUAGES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who is the data protection officer, and how to reach them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpo: Option<String>,
    /// For how many days users may look back on what became of their messages, if they choose to: 1 to 90.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_days: Option<u8>,
}

impl OrganisationSettings {
    /// Sets one key from text; the empty text goes back to the default. Several values of one key are separated by
    /// commas.
    ///
    /// # Errors
    /// [`SettingError`], naming the key and what its value must be; nothing is changed then.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        let value = value.trim();
        let Some(key) = KEYS.into_iter().find(|known| *known == key) else {
            return Err(SettingError::UnknownKey(key.to_owned()));
        };
        let wrong = |why: String| SettingError::Value { key, why };
        match key {
            "personal_actions" => self.personal_actions = optional(value, actions).map_err(wrong)?,
            "tag" => self.tag = optional(value, tag).map_err(wrong)?,
            "folder" => self.folder = optional(value, text_of::<FolderName>).map_err(wrong)?,
            "sensitivity" => self.sensitivity = optional(value, truth).map_err(wrong)?,
            "outbound" => self.outbound = optional(value, parsed).map_err(wrong)?,
            "black_action" => self.black_action = optional(value, parsed).map_err(wrong)?,
            "late_action" => self.late_action = optional(value, parsed).map_err(wrong)?,
            "junk_folder" => self.junk_folder = optional(value, text_of::<FolderName>).map_err(wrong)?,
            "reject_text" => self.reject_text = optional(value, text_of::<ReplyText>).map_err(wrong)?,
            "spam_headers" => self.spam_headers = optional(value, |v| list(v, text_of::<HeaderName>)).map_err(wrong)?,
            "spam_prefixes" => self.spam_prefixes = optional(value, |v| list(v, tag)).map_err(wrong)?,
            "globs" => self.globs = optional(value, truth).map_err(wrong)?,
            "markings" => self.markings = optional(value, actions).map_err(wrong)?,
            "session_idle" => self.session_idle = optional(value, idle).map_err(wrong)?,
            "console_networks" => self.console_networks = optional(value, |v| list(v, network)).map_err(wrong)?,
            "create_users" => self.create_users = optional(value, switch).map_err(wrong)?,
            "language" => self.language = optional(value, language).map_err(wrong)?,
            "dpo" => self.dpo = optional(value, contact).map_err(wrong)?,
            "activity_days" => self.activity_days = optional(value, activity_days).map_err(wrong)?,
            _ => return Err(SettingError::UnknownKey(key.to_owned())),
        }
        Ok(())
    }

    /// Each key with its value as [`Self::set`] takes it; `None` where the configuration's default holds.
    pub fn texts(&self) -> [(&'static str, Option<String>); KEYS.len()] {
        let joined = |names: &Option<Vec<String>>| names.as_ref().map(|names| names.join(","));
        let named = |actions: Option<PersonalActions>| {
            actions.map(|actions| match actions {
                PersonalActions::NONE => "none".to_owned(),
                some => some.to_string(),
            })
        };
        let values = [
            named(self.personal_actions),
            self.tag.clone(),
            self.folder.clone(),
            self.sensitivity.map(|on| on.to_string()),
            self.outbound.map(|action| action.to_string()),
            self.black_action.map(|action| action.to_string()),
            self.late_action.map(|action| action.to_string()),
            self.junk_folder.clone(),
            self.reject_text.clone(),
            joined(&self.spam_headers),
            joined(&self.spam_prefixes),
            self.globs.map(|on| on.to_string()),
            named(self.markings),
            self.session_idle.map(|minutes| minutes.to_string()),
            joined(&self.console_networks),
            self.create_users.map(|on| if on { "on" } else { "off" }.to_owned()),
            self.language.clone(),
            self.dpo.clone(),
            self.activity_days.map(|days| days.to_string()),
        ];
        let mut values = values.into_iter();
        KEYS.map(|key| (key, values.next().flatten()))
    }

    /// Reads what [`Self::to_json`] wrote, holding every value against the rules of [`Self::set`]: a database edited
    /// by hand puts no line break into a header.
    ///
    /// # Errors
    /// What is unknown or not possible.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut checked = Self::default();
        for (key, value) in read.texts() {
            checked.set(key, value.as_deref().unwrap_or("")).map_err(|error| error.to_string())?;
        }
        Ok(checked)
    }

    /// Whether the console may be used from this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        let Some(networks) = &self.console_networks else { return true };
        networks.iter().filter_map(|network| network.parse::<Network>().ok()).any(|network| network.contains(address))
    }

    /// As kept in the store.
    pub fn to_json(&self) -> String {
        // A struct of texts, booleans and lists of texts always serialises.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

fn optional<T>(value: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if value.is_empty() { Ok(None) } else { read(value).map(Some) }
}

fn parsed<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    value.parse().map_err(|error: T::Err| error.to_string())
}

fn actions(value: &str) -> Result<PersonalActions, String> {
    if value == "none" {
        return Ok(PersonalActions::NONE);
    }
    value.parse().map_err(|_| "it must be none, or some of tag, folder, mark, separated by commas".to_owned())
}

fn truth(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "it must be true or false".to_owned())
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it must be on or off".to_owned()),
    }
}

fn idle(value: &str) -> Result<u16, String> {
    let minutes = value.parse().ok().filter(|minutes| SESSION_IDLE.contains(minutes));
    minutes.ok_or_else(|| "it must be 30, 60 or 90 (minutes)".to_owned())
}

fn network(value: &str) -> Result<String, String> {
    let network: Network = parsed(value)?;
    if network.is_everything() {
        return Err("this is every address: leave the value empty to allow them all".to_owned());
    }
    Ok(network.to_string())
}

fn language(value: &str) -> Result<String, String> {
    let known = LANGUAGES.into_iter().find(|known| *known == value);
    known.map(str::to_owned).ok_or_else(|| format!("it must be one of {}", LANGUAGES.join(", ")))
}

fn contact(value: &str) -> Result<String, String> {
    if value.chars().count() > MAX_DPO || value.chars().any(char::is_control) {
        return Err(format!("it must be one line of at most {MAX_DPO} characters"));
    }
    Ok(value.to_owned())
}

fn activity_days(value: &str) -> Result<u8, String> {
    let days = value.parse().ok().filter(|days| (1..=MAX_ACTIVITY_DAYS).contains(days));
    days.ok_or_else(|| format!("it must be a number of days, 1 to {MAX_ACTIVITY_DAYS}"))
}

fn tag(value: &str) -> Result<String, String> {
    Tag::new(value).map(|tag| tag.as_str().to_owned()).map_err(|error| error.to_string())
}

/// A text of one of the types that the configuration has too: both refuse the same.
fn text_of<T: FromStr<Err: Display> + Display>(value: &str) -> Result<String, String> {
    parsed::<T>(value).map(|text| text.to_string())
}

fn list(value: &str, read: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    let names: Vec<_> =
        value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(read).collect::<Result<_, _>>()?;
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(format!("it must be one to {MAX_NAMES} names, separated by commas"));
    }
    Ok(names)
}

/// A value that is written as text although its type knows nothing of serde.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(from)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_set_shown_kept_and_unset() {
        let mut settings = OrganisationSettings::default();
        let values = [
            ("personal_actions", "tag,mark"),
            ("tag", "[PRIVÉ]"),
            ("folder", "Perso"),
            ("sensitivity", "true"),
            ("outbound", "mark"),
            ("black_action", "junk"),
            ("late_action", "junk"),
            ("junk_folder", "Junk"),
            ("reject_text", "The recipient does not wish to receive this."),
            ("spam_headers", "X-Spam-Flag,X-Spam"),
            ("spam_prefixes", "***SPAM***"),
            ("globs", "false"),
            ("markings", "tag,folder"),
            ("session_idle", "90"),
            ("console_networks", "192.0.2.0/24,2001:db8::/32"),
            ("create_users", "off"),
            ("language", "en"),
            ("dpo", "Mme Durand, dpo@acme.example, 01 23 45 67 89"),
            ("activity_days", "14"),
        ];
        for (key, value) in values {
            settings.set(key, value).expect(key);
        }
        assert_eq!(settings.texts(), values.map(|(key, value)| (key, Some(value.to_owned()))));
        assert_eq!(OrganisationSettings::from_json(&settings.to_json()).as_ref(), Ok(&settings));
        for key in KEYS {
            settings.set(key, " ").expect(key);
        }
        assert_eq!(settings, OrganisationSettings::default());
        assert_eq!(settings.to_json(), "{}");
    }

    #[test]
    fn no_action_is_not_the_default_action() {
        let mut settings = OrganisationSettings::default();
        settings.set("personal_actions", "none").expect("valid");
        assert_eq!(settings.personal_actions, Some(PersonalActions::NONE));
        assert_eq!(OrganisationSettings::from_json(&settings.to_json()), Ok(settings));
    }

    #[test]
    fn what_would_break_a_header_or_an_address_is_refused_by_name() {
        for (key, value) in [
            ("tag", "a\r\nX-Evil: 1"),
            ("tag", "a\0"),
            ("tag", &"é".repeat(33)),
            ("folder", "a b"),
            ("folder", "a@b"),
            ("folder", "../a"),
            ("folder", "a."),
            ("junk_folder", "a+b"),
            ("reject_text", "a\nb"),
            ("reject_text", "é"),
            ("folder", "INBOX"),
            ("spam_headers", "From"),
            ("spam_headers", "X-Spam,Received"),
            ("spam_headers", "X-Virus-Status"),
            ("spam_headers", "X-Perso"),
            ("spam_headers", "X Spam"),
            ("spam_headers", "X:Spam"),
            ("spam_headers", ","),
            ("spam_prefixes", "a\tb"),
            ("globs", "yes"),
            ("activity_days", "0"),
            ("activity_days", "91"),
            ("activity_days", "a month"),
            ("black_action", "explode"),
            ("late_action", "reject"),
            ("personal_actions", "tag,burn"),
            ("outbound", "folder"),
            ("markings", "tag,burn"),
            ("session_idle", "45"),
            ("session_idle", "0"),
            ("console_networks", "10.0.0.1/8"),
            ("console_networks", "0.0.0.0/0"),
            ("create_users", "true"),
            ("language", "de"),
            ("dpo", "a\nb"),
            ("dpo", &"é".repeat(201)),
        ] {
            let mut settings = OrganisationSettings::default();
            let error = settings.set(key, value).expect_err(value).to_string();
            assert!(error.starts_with(key), "{error}");
            assert_eq!(settings, OrganisationSettings::default());
        }
        let error = OrganisationSettings::default().set("colour", "red").expect_err("unknown").to_string();
        assert!(error.contains("colour") && error.contains("junk_folder"), "{error}");
    }

    #[test]
    fn the_console_is_open_to_the_networks_that_are_named() {
        let mut settings = OrganisationSettings::default();
        let admits = |settings: &OrganisationSettings, address: &str| settings.admits(address.parse().expect("one"));
        assert!(admits(&settings, "203.0.113.1"));
        settings.set("console_networks", "192.0.2.0/24, 2001:db8::/32").expect("valid");
        assert!(admits(&settings, "192.0.2.9") && admits(&settings, "2001:db8::1"));
        assert!(!admits(&settings, "203.0.113.1") && !admits(&settings, "2001:db9::1"));
    }

    #[test]
    fn a_hand_edited_database_is_held_to_the_same_rules() {
        assert!(OrganisationSettings::from_json(r#"{"tag":"a\r\nb"}"#).is_err());
        assert!(OrganisationSettings::from_json(r#"{"colour":"red"}"#).is_err());
    }
}
