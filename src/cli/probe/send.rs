//! `probe send`: to whom, into which folder, and through which mail server.

use std::error::Error as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use lettre::transport::smtp::{self, SmtpTransport};
use lettre::{Transport, address::Envelope};
use serde_json::json;

use super::message::ProbeMessage;
use crate::cli::{actor, needs_delimiter, policy_of, print_json, user};
use crate::config::{Config, MailServer};
use crate::directory::Defaults;
use crate::policy::address::Address;
use crate::policy::text::FolderName;
use crate::store::{AddressedFolder, Organisation, Store, StoreError};

/// How long the mail server may take to accept a connection, and for each of its replies.
const PATIENCE: Duration = Duration::from_secs(30);

/// `probe send …`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who receives it: a mailbox that you can look into, in a domain of the organisation; it need not be a user's
    address: String,
    /// Into the junk folder instead of the personal one
    #[arg(long, conflicts_with = "folder")]
    junk: bool,
    /// Into this folder, before it is set as `folder` or `junk_folder`
    #[arg(long, value_name = "NAME")]
    folder: Option<FolderName>,
    /// The Postfix that the milter serves
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:25")]
    smtp: MailServer,
    /// The sender, who gets the report where the probe cannot be delivered; left out, ADDRESS
    #[arg(long, value_name = "ADDR")]
    from: Option<String>,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Sends a probe and says how to go on.
///
/// # Errors
/// An address that no organisation serves, a probe that could not arrive, what the mail server refuses.
pub fn run(config: &Config, store: &dyn Store, args: &Args) -> anyhow::Result<()> {
    needs_delimiter(config)?;
    let defaults = Defaults::from(config);
    let address = user::parse(&args.address)?;
    let organisation = organisation_of(store, &address)?;
    let folder = folder(&defaults, &organisation, args)?;
    let to = into_folder(&address, &folder)?;
    let from = smtp_address(args.from.as_deref().map_or(Ok(address), user::parse)?.as_str())?;
    if folder.name.as_str().eq_ignore_ascii_case(&policy_of(&defaults, &organisation).personal.folder) {
        passes_the_milter(config, &args.smtp, &folder)?;
    }

    let (code, probe) = store.begin_probe(&actor(), organisation.id, &folder)?;
    let message = ProbeMessage {
        probe: &probe,
        code: &code,
        organisation: &organisation.name,
        from: from.as_ref(),
        to: to.as_ref(),
    };
    if let Err(error) = deliver(&args.smtp, &from, &to, &message.to_bytes()?) {
        // One that stays behind proves nothing: nobody has its code.
        let _ = store.withdraw_probe(&actor(), &code);
        return Err(explained(&error, &args.smtp, &to, &folder));
    }
    if args.json {
        return Ok(print_json(&json!({
            "organisation": organisation.name,
            "delimiter": folder.delimiter.to_string(),
            "folder": folder.name.as_str(),
            "recipient": to.to_string(),
            "smtp": args.smtp.to_string(),
            "expires": probe.expires.to_string(),
        }))?);
    }
    let name = &folder.name;
    say!("{} took the probe for {to}; its code is good until {}", args.smtp, probe.expires)?;
    say!("if it lies in the folder {name}: perso-milter probe confirm CODE, with the code that stands in it")?;
    say!(
        "if it lies in the inbox: do not confirm it; perso-milter postfix-config --folders prints what the mail store needs"
    )?;
    say!("a mail program may show a new folder only after it was subscribed to")?;
    Ok(())
}

/// The organisation whose domain an address is in.
fn organisation_of(store: &dyn Store, address: &Address) -> anyhow::Result<Organisation> {
    let serves = |one: &Organisation| one.domains.iter().any(|domain| domain.as_str() == address.domain());
    let found = store.organisations()?.into_iter().find(serves);
    Ok(found.ok_or_else(|| StoreError::DomainNotServed(address.domain().to_owned()))?)
}

/// The folder that is to be proven: the one named, else that of the organisation.
fn folder(defaults: &Defaults, organisation: &Organisation, args: &Args) -> anyhow::Result<AddressedFolder> {
    let delimiter = defaults.delimiter.context("recipients.delimiter is empty")?;
    let policy = policy_of(defaults, organisation);
    let name = match &args.folder {
        Some(name) => name.clone(),
        None if args.junk => policy.black.junk_folder.parse().context("junk_folder")?,
        None => policy.personal.folder.parse().context("folder")?,
    };
    if name.as_str().contains(delimiter) {
        bail!("the folder {name} holds the recipients.delimiter {delimiter}; name a folder without it");
    }
    Ok(AddressedFolder { delimiter, name })
}

/// `local+Folder@domain`
fn into_folder(address: &Address, folder: &AddressedFolder) -> anyhow::Result<lettre::Address> {
    if address.local().contains(folder.delimiter) {
        bail!("{}: it holds the delimiter {}; name the mailbox itself", address.as_str(), folder.delimiter);
    }
    smtp_address(&format!("{}{folder}@{}", address.local(), address.domain()))
}

fn smtp_address(text: &str) -> anyhow::Result<lettre::Address> {
    text.parse().with_context(|| format!("{text}: no mail can be sent from or to it"))
}

/// The milter takes the personal folder off the recipients of inbound mail that is not personal: a probe that counts as
/// inbound would lie in the inbox, whatever the mail store can do.
fn passes_the_milter(config: &Config, server: &MailServer, folder: &AddressedFolder) -> anyhow::Result<()> {
    let own = own_address(server).map_err(|error| anyhow!("the mail server {server} cannot be reached: {error}"))?;
    if config.networks.ours.iter().any(|network| network.contains(own)) {
        return Ok(());
    }
    bail!(
        "mail from {own} counts as inbound, and the milter takes {folder} off inbound mail that is not personal; add \
         {own} to networks.ours and reload, or send the probe from a machine that is among them"
    )
}

/// The address of ours that the server sees. Nothing is sent: a datagram socket is only pointed at it.
fn own_address(server: &MailServer) -> io::Result<IpAddr> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for target in (server.host.as_str(), server.port).to_socket_addrs()? {
        let any: IpAddr = match target {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let pointed = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(target).map(|()| socket));
        match pointed.and_then(|socket| socket.local_addr()) {
            Ok(own) => return Ok(own.ip()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn deliver(
    server: &MailServer,
    from: &lettre::Address,
    to: &lettre::Address,
    message: &[u8],
) -> Result<(), smtp::Error> {
    // An envelope is refused for want of a recipient alone.
    let envelope = Envelope::new(Some(from.clone()), vec![to.clone()]).expect("there is a recipient");
    let transport = SmtpTransport::builder_dangerous(&server.host).port(server.port).timeout(Some(PATIENCE)).build();
    transport.send_raw(&envelope, message).map(drop)
}

/// Why the probe was not sent: the server's own words, and the remedy.
fn explained(
    error: &smtp::Error,
    server: &MailServer,
    to: &lettre::Address,
    folder: &AddressedFolder,
) -> anyhow::Error {
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string).replace('\n', " ");
    match error.status() {
        Some(code) if error.is_permanent() => anyhow!(
            "{server} refuses mail for {to}: {code} {reason}; if it knows the mailbox, it does not know the delimiter {}: \
             perso-milter postfix-config --folders prints the lines for Postfix and Dovecot",
            folder.delimiter
        ),
        Some(code) => anyhow!("{server} does not take mail for {to} now: {code} {reason}; see its log, then try again"),
        None => anyhow!("the mail server {server} cannot be reached: {reason}; name another with --smtp HOST:PORT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_a_loopback_server_sees_is_loopback() {
        let own = |text: &str| own_address(&text.parse().expect("a server")).expect("an address");
        assert_eq!(own("127.0.0.1:25"), IpAddr::from([127, 0, 0, 1]));
    }
}
