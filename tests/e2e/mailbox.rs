//! Reads mailboxes by IMAP, as the person whose mail it is does.

use std::net::Ipv4Addr;
use std::time::Duration;

use async_imap::Session;
use futures::TryStreamExt;
use tokio::net::TcpStream;
use tokio::runtime;

use crate::dovecot::PASSWORD;
use crate::message::{Message, contains};
use crate::scratch::{PATIENCE, poll};

/// One message in a mailbox.
#[derive(Clone, Debug)]
pub struct Mail {
    pub folder: String,
    pub message: Message,
}

impl Mail {
    /// Whether it is a copy of the message that had this queue id at the MTA.
    pub fn is_of(&self, id: &str) -> bool {
        let mark = format!("id {id}");
        self.message.values("Received").iter().any(|value| contains(value, mark.as_bytes()))
    }
}

/// Everything a user has, in all folders.
pub fn read(imap: u16, user: &str) -> Vec<Mail> {
    runtime().block_on(async {
        tokio::time::timeout(PATIENCE, read_all(imap, user))
            .await
            .unwrap_or_else(|_| panic!("the mailbox of {user} does not answer"))
            .unwrap_or_else(|error| panic!("the mailbox of {user}: {error}"))
    })
}

/// Waits until a folder of a user holds at least `count` messages, and returns them.
pub fn wait_for(imap: u16, user: &str, folder: &str, count: usize) -> Vec<Mail> {
    let mut found = Vec::new();
    let enough = poll(PATIENCE, || {
        found = read(imap, user);
        found.retain(|mail| mail.folder == folder);
        (found.len() >= count).then_some(())
    });
    assert!(enough.is_some(), "{user} has {} instead of {count} messages in {folder}", found.len());
    found
}

fn runtime() -> runtime::Runtime {
    runtime::Builder::new_current_thread().enable_all().build().expect("a runtime of one thread")
}

async fn read_all(imap: u16, user: &str) -> async_imap::error::Result<Vec<Mail>> {
    let mut session = sign_in(imap, user).await?;
    let names: Vec<_> = session.list(Some(""), Some("*")).await?.try_collect().await?;
    let mut mails = Vec::new();
    for name in &names {
        let folder = name.name();
        if session.examine(folder).await?.exists == 0 {
            continue;
        }
        let fetched: Vec<_> = session.uid_fetch("1:*", "BODY.PEEK[]").await?.try_collect().await?;
        mails.extend(fetched.iter().filter_map(|fetch| {
            let message = Message::new(fetch.body()?);
            Some(Mail { folder: folder.to_owned(), message })
        }));
    }
    session.logout().await?;
    Ok(mails)
}

async fn sign_in(imap: u16, user: &str) -> async_imap::error::Result<Session<TcpStream>> {
    let stream = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect((Ipv4Addr::LOCALHOST, imap)))
        .await
        .map_err(std::io::Error::from)??;
    let mut client = async_imap::Client::new(stream);
    client.read_response().await?;
    client.login(user, PASSWORD).await.map_err(|(error, _)| error)
}
