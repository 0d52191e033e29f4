//! A session behind a socket: what the server drives, and the log line of each event.
//!
//! Nothing written here depends on anybody's list, and no line holds an address or a header.

use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, error, info, warn};

use super::facts::HeaderLimit;
use super::server::{Closed, ConnectionInfo, Conversation, Conversations, Flow, Phase};
use super::session::{self, Next, Notice, QueueId, RecipientReplies, Session, Terms};
use super::settings::{Directory, Role};
use super::transaction::OverLimit;
use crate::policy::action::BlackAction;

/// Makes the sessions of a daemon.
#[derive(Debug)]
pub struct Sessions<D> {
    directory: Arc<D>,
    listeners: Vec<ListenerTerms>,
    max_frame: u32,
}

/// The terms of one listener, ready for both answers to the question whether RCPT needs a reply.
#[derive(Debug)]
struct ListenerTerms {
    with_replies: Arc<Terms>,
    without: Arc<Terms>,
}

impl<D: Directory> Sessions<D> {
    /// Sessions for listeners of these roles, in the order in which the server has them.
    pub fn new(directory: Arc<D>, roles: &[Role], max_frame: u32) -> Self {
        let terms = |role: &Role| ListenerTerms {
            with_replies: Arc::new(Terms::new(*role, RecipientReplies::Needed)),
            without: Arc::new(Terms::new(*role, RecipientReplies::NotNeeded)),
        };
        Self { directory, listeners: roles.iter().map(terms).collect(), max_frame }
    }

    /// RCPT needs a reply while some organisation or user has senders refused. A connection keeps its terms: who chooses
    /// so later is served at end of message until the MTA connects anew.
    fn terms(&self, listener: usize) -> &Arc<Terms> {
        let settings = self.directory.settings();
        let rejects = self.directory.some_user_rejects()
            || settings.organisations.values().any(|policy| policy.black.action == BlackAction::Reject);
        let terms = &self.listeners[listener.min(self.listeners.len() - 1)];
        if rejects || settings.organisations.is_empty() { &terms.with_replies } else { &terms.without }
    }
}

impl<D: Directory + Send + Sync + 'static> Conversations for Sessions<D> {
    type Conversation = Connection<D>;

    fn open(&self, connection: ConnectionInfo) -> Connection<D> {
        debug!(connection = connection.number, peer = %connection.peer, "connection opened");
        let (directory, terms) = (self.directory.clone(), self.terms(connection.listener).clone());
        let session = Session::new(directory.clone(), terms, self.max_frame).on_thread(connection.thread);
        Connection { session, directory, info: connection, is_parted: false }
    }
}

/// One connection of an MTA.
pub struct Connection<D> {
    session: Session<D>,
    directory: Arc<D>,
    info: ConnectionInfo,
    /// The log says already why this connection ends.
    is_parted: bool,
}

/// A queue id for the log, or what stands there for none.
fn named(queue_id: &Option<QueueId>) -> String {
    queue_id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

/// One line for what happened on a connection, if it is for the log.
fn log(connection: u64, notice: &Notice) {
    match notice {
        Notice::Message { queue_id, recipients } => {
            info!(connection, queue_id = named(queue_id), recipients, "message");
        }
        // A line for each copy would tell which messages are split.
        Notice::Copy => {}
        Notice::Unmarked { queue_id } => {
            error!(
                connection,
                queue_id = named(queue_id),
                "a message in the role split that the edge of this store has not split: passed by nobody's list; only mail that carries our marker may come there"
            );
        }
        Notice::SecondRecipient => {
            error!(
                connection,
                "a second recipient in the role split: answered with a temporary failure; Postfix needs perso-split_destination_recipient_limit = 1"
            );
        }
        Notice::OverLimit { queue_id, limit, refused: false } => {
            let (queue_id, limit) = (named(queue_id), limit_name(*limit));
            warn!(connection, queue_id, limit, "over a limit: passed unedited");
        }
        Notice::OverLimit { queue_id, limit, refused: true } => {
            let (queue_id, limit) = (named(queue_id), limit_name(*limit));
            warn!(connection, queue_id, limit, "over a limit: answered with a temporary failure");
        }
        Notice::Unwritable(error) => {
            error!(connection, %error, "an edit could not be written: a temporary failure, or unedited where nothing may be refused");
        }
    }
}

/// Of so many messages of a connection one is timed, the first at first: each look at the clock would cost every message.
const TIMED: u32 = 16;

/// The key of the configuration that holds the limit, or what it is where it is fixed.
fn limit_name(limit: OverLimit) -> &'static str {
    match limit {
        OverLimit::Recipients => "milter.limits.recipients",
        OverLimit::RecipientLength => "4096 bytes of one recipient",
        OverLimit::Headers(HeaderLimit::Count) => "milter.limits.headers",
        OverLimit::Headers(HeaderLimit::Bytes) => "milter.limits.header_bytes",
    }
}

impl<D: Directory> Conversation for Connection<D> {
    fn receive(&mut self, input: &[u8], output: &mut Vec<u8>) -> Flow {
        let began = (self.session.message_or_next() % TIMED == 1).then(Instant::now);
        let result = self.session.receive(input, output);
        for notice in self.session.notices() {
            if let (Notice::Message { .. }, Some(began)) = (&notice, began) {
                self.directory.took(self.info.thread, began.elapsed());
            }
            log(self.info.number, &notice);
        }
        match result {
            Ok(Next::Continue) => Flow::Continue,
            Ok(Next::Quit) => Flow::Close,
            Err(error) => {
                self.is_parted = true;
                warn!(connection = self.info.number, peer = %self.info.peer, %error, "the MTA broke the protocol: connection closed");
                Flow::Close
            }
        }
    }

    fn phase(&self) -> Phase {
        if let Some(number) = self.session.message() {
            Phase::Message(number)
        } else if self.session.phase() == session::Phase::Greeting {
            Phase::Negotiating
        } else if self.session.is_at_rest() {
            Phase::Idle
        } else {
            Phase::PartialFrame
        }
    }

    fn closed(&mut self, why: Closed) {
        let connection = self.info.number;
        match why {
            Closed::ByPeer if self.session.is_cut_short() => {
                warn!(connection, peer = %self.info.peer, %why, "connection cut within a message or a frame");
            }
            Closed::ByPeer | Closed::ByConversation | Closed::Drained => debug!(connection, %why, "connection closed"),
            _ if self.is_parted => debug!(connection, %why, "connection closed"),
            Closed::Panicked => error!(connection, %why, "connection closed"),
            _ => warn!(connection, peer = %self.info.peer, %why, "connection closed"),
        }
    }
}
