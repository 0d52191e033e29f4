//! The configuration: one struct, one `Default`, one load.
//!
//! A file is TOML; `config/perso-milter.toml` documents every key with its default and is compiled in as
//! [`DEFAULT_FILE`]. Every problem of a file is reported at once, each with its line, its key and the remedy; a file
//! with an error yields no configuration at all.
//!
//! `reader` walks the TOML tree and knows no key, `keys` names them, `value` and `choice` hold the types
//! whose values are valid once they exist, `condition` tells what keys say about each other.

mod choice;
mod condition;
mod keys;
mod load;
mod problem;
mod reader;
#[cfg(test)]
mod tests;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::language::Language;
pub use crate::milter::listen::ListenAddress;
pub use crate::milter::settings::Role;
pub use crate::network::Network;
pub use crate::policy::action::SplitMode;
use crate::policy::action::{BlackAction, LateAction, OutboundAction, PersonalActions};
use crate::policy::address::Domain;
use crate::policy::authres::{AuthenticationMode, AuthenticationPolicy};
use crate::policy::organisation::{BlackPolicy, PersonalPolicy, Proof, WhitePolicy};
use crate::policy::subject::Tag;

pub use crate::policy::text::{FolderName, HeaderName, ReplyText};
pub use choice::{LogFormat, LogLevel};
pub use load::{Loaded, MAX_FILE, Parsed, Source, load, parse};
pub use problem::{KeyLines, LoadError, Place, Problem, Severity};
pub use value::{
    AuthservId, DaemonName, Delimiter, GroupName, MailServer, PublicUrl, Sender, SocketMode, SplitAddress, StoreUrl,
};

/// `config/perso-milter.toml`: every key with its default, explained.
pub const DEFAULT_FILE: &str = include_str!("../../config/perso-milter.toml");

/// All that a postmaster can set. A value that exists is valid: there is no other way to one than [`parse`], [`load()`]
/// and `Default`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// `[milter]`: sockets and limits of the milter protocol.
    pub milter: Milter,
    /// `[store]`: where lists are kept.
    pub store: Store,
    /// `[personal]`: what is done with a personal message.
    pub personal: Personal,
    /// `[black]`: what is done with a message from a blocked sender.
    pub black: Black,
    /// `[white]`: which spam marks of an earlier filter a wanted sender's message loses.
    pub white: White,
    /// `[authentication]`: when a sender is believed to be who they say.
    pub authentication: Authentication,
    /// `[recipients]`: how recipients are written.
    pub recipients: Recipients,
    /// `[networks]`: whose mail is our own.
    pub networks: Networks,
    /// `[split]`: one copy per recipient.
    pub split: Split,
    /// `[console]`: where users run their own lists.
    pub console: Console,
    /// `[log]`: what the daemon writes.
    pub log: Log,
}

/// `[milter]`
#[derive(Debug, Clone, PartialEq)]
pub struct Milter {
    /// `threads`: worker threads, at most 1024; 0, the default, is one per core. There are 256 connections for each before
    /// one more is used.
    pub threads: usize,
    /// `[[milter.listener]]`: at least one, no two on one address. Default: one, see [`Listener`].
    pub listeners: Vec<Listener>,
    /// `[milter.limits]`
    pub limits: Limits,
}

/// `[[milter.listener]]`: a socket that the MTA connects to. The default is `inet:8891@127.0.0.1`, role `edge`.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// `address`, as Sendmail writes it: `inet:PORT@HOST`, `inet6:PORT@HOST`, `unix:/PATH`, `local:/PATH`.
    pub address: ListenAddress,
    /// `role`: which part of the mail's way this socket serves. Default: `edge`.
    pub role: Role,
    /// `mode`: permissions of a unix socket, octal. Default: `0660`.
    pub mode: SocketMode,
    /// `group`: group of a unix socket; absent, the default, or empty: the daemon's own.
    pub group: Option<GroupName>,
}

/// `[milter.limits]`: what one peer may ask of us. Over a limit a message is answered 451, a connection is closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// `frame`: bytes of one frame of the protocol, 65,536 to 16 MiB. Default: 131,072.
    pub frame: usize,
    /// `header_bytes`: bytes of all headers of one message, 64 KiB to 64 MiB. Default: 1 MiB.
    pub header_bytes: usize,
    /// `headers`: headers of one message, 10 to 100,000. Default: 1000.
    pub headers: usize,
    /// `recipients`: recipients of one message, 1 to 100,000. Default: 1000.
    pub recipients: usize,
    /// `connections`: connections at once over all listeners, 1 to 1,000,000. Default: 5000.
    pub connections: usize,
    /// `message_time`: seconds from MAIL to the end of the message, 10 to 86,400. Default: 3600, since
    /// the sender of a large message on a slow line keeps the MTA, and so us, waiting.
    pub message_time: Duration,
    /// `handshake_time`: seconds from the connection to the end of the negotiation, 1 to 600. Default: 30.
    pub handshake_time: Duration,
    /// `idle_time`: seconds between two messages of one connection, 300 to 604,800. Default: 7200. An MTA keeps its
    /// connection while its own client idles, so that a short one costs it an error (MILTER.md, "Connections").
    pub idle_time: Duration,
    /// `drain_time`: seconds that running messages have to finish when the daemon stops, 0 to 3600. Default: 30.
    pub drain_time: Duration,
    /// `output`: bytes of answers that the MTA has not read yet, 64 KiB to 64 MiB. Default: 4 MiB, enough for every
    /// recipient of a message to be filed.
    pub output: usize,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Store {
    /// `url`: `sqlite:PATH`, a relative path from the working directory. Default: `sqlite:perso-milter.db`.
    pub url: StoreUrl,
}

/// `[personal]`, the defaults of an organisation that sets nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Personal {
    /// `actions`: any of `tag`, `folder`, `mark`; none leaves the message as it is. Default: `["tag"]`.
    pub actions: PersonalActions,
    /// `tag`: stands before the Subject. Default: `[PERSO]`.
    pub tag: Tag,
    /// `folder`: delivered to `user+folder@domain`. Default: `Perso`.
    pub folder: FolderName,
    /// `sensitivity`: whether `Sensitivity: Personal` (RFC 2156) stands beside the mark. Default: no.
    pub sensitivity: bool,
    /// `outbound`: `off`, `tag` or `mark`, for what users send to people on their personal lists. Default: `off`.
    pub outbound: OutboundAction,
}

/// `[black]`, the defaults of an organisation that sets nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Black {
    /// `action`: `reject`, `discard`, `hold` or `junk`. Default: `reject`.
    pub action: BlackAction,
    /// `late_action`: `discard` or `junk`, for one recipient of several once the headers are read. Default: `discard`.
    pub late_action: LateAction,
    /// `junk_folder`: delivered to `user+junk_folder@domain`. Default: `Junk`.
    pub junk_folder: FolderName,
    /// `reject_text`: what the sender reads after `550 5.7.1`. Default: `Message refused by its recipient`.
    pub reject_text: ReplyText,
}

/// `[white]`
#[derive(Debug, Clone, PartialEq)]
pub struct White {
    /// `spam_headers`: removed from a wanted message; at most 50. Default: `X-Spam-Flag`, `X-Spam`.
    pub spam_headers: Vec<HeaderName>,
    /// `spam_prefixes`: taken off the start of its Subject; at most 50. Default: `***SPAM***`.
    pub spam_prefixes: Vec<Tag>,
}

/// `[authentication]`
#[derive(Debug, Clone, PartialEq)]
pub struct Authentication {
    /// `mode`: as the file has it. Ask [`Authentication::mode`] for the one that applies.
    pub configured_mode: Option<AuthenticationMode>,
    /// `authserv_ids`: names under which our own verifier signs its Authentication-Results; at most 50. Default: none.
    pub authserv_ids: Vec<AuthservId>,
    /// `hops`: Received headers that may stand above our verifier's result, 0 to 100. Default: 1.
    pub hops: usize,
    /// `results`: Authentication-Results headers that our verifier writes on one message, 1 to 20. Default: 1. Only
    /// that many, from the top, are believed.
    pub results: usize,
    /// `forwarders`: domains that forward to us and rewrite the sender (SRS): there the sender before the rewriting
    /// counts for white and personal lists too; at most 1000. Default: none.
    pub forwarders: Vec<Domain>,
}

impl Authentication {
    /// The mode that applies: the configured one, else `required` where `authserv_ids` is set, else `off`.
    pub fn mode(&self) -> AuthenticationMode {
        self.configured_mode.unwrap_or(if self.authserv_ids.is_empty() {
            AuthenticationMode::Off
        } else {
            AuthenticationMode::Required
        })
    }
}

/// `[recipients]`
#[derive(Debug, Clone, PartialEq)]
pub struct Recipients {
    /// `delimiter`: stands between a user and a folder (`user+Perso@domain`); `None` (in the file: empty) where the
    /// mail store knows none. Default: `+`.
    pub delimiter: Option<Delimiter>,
}

/// `[networks]`
#[derive(Debug, Clone, PartialEq)]
pub struct Networks {
    /// `ours`: mail from here is outbound; at most 1000. Default: `127.0.0.0/8`, `::1/128`.
    pub ours: Vec<Network>,
    /// `trusted_relays`: other MTAs of ours, never answered 5xx; at most 1000. Default: none.
    pub trusted_relays: Vec<Network>,
    /// `submission_daemons`: values of the macro `{daemon_name}` that carry our own users' mail; at most 50.
    /// Default: none.
    pub submission_daemons: Vec<DaemonName>,
}

/// `[split]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Split {
    /// `mode`: `off`, `mixed` or `edits`, as the file has it. Ask [`Config::split_mode`] for the one that applies.
    pub configured_mode: Option<SplitMode>,
    /// `address`: where Postfix's second smtpd takes the copies, on this machine. Default: `127.0.0.1:10026`.
    pub address: SplitAddress,
}

impl Config {
    /// The mode that applies: the configured one, else `edits` where a listener has the role `split`, else `off`.
    pub fn split_mode(&self) -> SplitMode {
        let has_path = self.milter.listeners.iter().any(|listener| listener.role == Role::Split);
        self.split.configured_mode.unwrap_or(if has_path { SplitMode::Edits } else { SplitMode::Off })
    }
}

/// `[console]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Console {
    /// `listen`: where browsers, or a proxy before them, connect. Default: none, and no console.
    pub listen: Option<SocketAddr>,
    /// `public_url`: what browsers call it, and links in mails begin with; `https` unless it is loopback. Default:
    /// `http://` and the address it listens on.
    pub public_url: Option<PublicUrl>,
    /// `tls_certificate`: a file of the certificate and its chain (PEM). Default: none, and plain HTTP.
    pub tls_certificate: Option<PathBuf>,
    /// `tls_key`: the file of its private key (PEM). Set with `tls_certificate`.
    pub tls_key: Option<PathBuf>,
    /// `trusted_proxies`: whose `X-Forwarded-For` is believed; at most 1000. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// `language`: of pages and mails for those who chose none. Default: `fr`.
    pub language: Language,
    /// `smtp`: who takes the mails that the console sends; on another machine by STARTTLS alone, with a certificate that this
    /// machine trusts. Default: `127.0.0.1:25`.
    pub smtp: MailServer,
    /// `sender`: from whom they come. Needed where `listen` is set.
    pub sender: Option<Sender>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Log {
    /// `level`: `error`, `warn`, `info`, `debug` or `trace`. Default: `info`.
    pub level: LogLevel,
    /// `format`: `text` or `json`. Default: `text`.
    pub format: LogFormat,
}

impl Default for Milter {
    fn default() -> Self {
        Self { threads: 0, listeners: vec![Listener::default()], limits: Limits::default() }
    }
}

impl Default for Listener {
    fn default() -> Self {
        let address = ListenAddress::Inet { port: 8891, host: Some("127.0.0.1".to_owned()) };
        Self { address, role: Role::default(), mode: SocketMode::default(), group: None }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 128 << 10,
            header_bytes: 1 << 20,
            headers: 1000,
            recipients: 1000,
            connections: 5000,
            message_time: Duration::from_secs(3600),
            handshake_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(7200),
            drain_time: Duration::from_secs(30),
            output: 4 << 20,
        }
    }
}

impl Default for Personal {
    fn default() -> Self {
        Self {
            actions: PersonalActions::TAG,
            tag: literal_tag("[PERSO]"),
            folder: FolderName::perso(),
            sensitivity: false,
            outbound: OutboundAction::Off,
        }
    }
}

impl Default for Black {
    fn default() -> Self {
        Self {
            action: BlackAction::default(),
            late_action: LateAction::default(),
            junk_folder: FolderName::junk(),
            reject_text: ReplyText::default(),
        }
    }
}

impl Default for White {
    fn default() -> Self {
        Self { spam_headers: HeaderName::spam_marks(), spam_prefixes: vec![literal_tag("***SPAM***")] }
    }
}

impl Default for Authentication {
    fn default() -> Self {
        Self { configured_mode: None, authserv_ids: Vec::new(), hops: 1, results: 1, forwarders: Vec::new() }
    }
}

impl Default for Recipients {
    fn default() -> Self {
        Self { delimiter: Some(Delimiter::default()) }
    }
}

impl Default for Networks {
    fn default() -> Self {
        Self { ours: Network::loopback(), trusted_relays: Vec::new(), submission_daemons: Vec::new() }
    }
}

/// For the tags that stand in this file and keep `Tag`'s rules: a change that breaks them fails every test.
fn literal_tag(text: &str) -> Tag {
    Tag::new(text).expect("a tag written in this file is one")
}

impl Personal {
    /// As the policy has it. Whether the folder is proven, an organisation of the store says.
    pub fn policy(&self) -> PersonalPolicy {
        PersonalPolicy {
            actions: self.actions,
            choices: PersonalActions::ALL,
            tag: self.tag.clone(),
            folder: self.folder.to_string(),
            folder_proof: Proof::Proven,
            sensitivity: self.sensitivity,
            outbound: self.outbound,
        }
    }
}

impl Black {
    /// As the policy has it; see [`Personal::policy`].
    pub fn policy(&self) -> BlackPolicy {
        BlackPolicy {
            action: self.action,
            late_action: self.late_action,
            junk_folder: self.junk_folder.to_string(),
            junk_proof: Proof::Proven,
            reject_text: self.reject_text.to_string(),
        }
    }
}

impl White {
    /// As the policy has it.
    pub fn policy(&self) -> WhitePolicy {
        WhitePolicy {
            spam_headers: self.spam_headers.iter().map(ToString::to_string).collect(),
            spam_prefixes: self.spam_prefixes.iter().map(|prefix| prefix.as_str().to_owned()).collect(),
        }
    }
}

impl Authentication {
    /// As the policy has it.
    pub fn policy(&self) -> AuthenticationPolicy {
        AuthenticationPolicy {
            mode: self.mode(),
            authserv_ids: self.authserv_ids.iter().map(ToString::to_string).collect(),
            hops: self.hops,
            results: self.results,
            forwarders: self.forwarders.clone(),
        }
    }
}
