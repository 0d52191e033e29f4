//! A course of messages: sent by a sender that tries again, through a Postfix to whose milter something happens, into the
//! sink, where every copy is held against what was to be.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::letters::{self, Letter};
use super::sink::{Copy, Sink};
use crate::message::Message;
use crate::milter::{Daemon, Settings};
use crate::postfix::Postfix;
use crate::scratch::{self, PATIENCE, poll, wait_until};
use crate::smtp::{Reply, Smtp};
use crate::split::road::{Plan, Road};

/// SMTP sessions that send at once.
const SESSIONS: usize = 8;
/// What lies between two messages once all that were asked for are sent, and the fault still lasts.
const PACE: Duration = Duration::from_millis(200);

pub struct Course {
    domain: String,
    pub sink: Sink,
    /// How many messages are sent at least.
    messages: usize,
}

impl Course {
    /// The users and their lists, and where their mail goes.
    pub fn new(domain: &str, daemon: &Daemon, messages: usize) -> Self {
        let file = |name: &str, head: &str, lines: Vec<String>| {
            let path = daemon.beside_store(name);
            fs::write(&path, format!("{head}\n{}\n", lines.join("\n"))).expect("our own directory");
            path.display().to_string()
        };
        let address = |user| format!("{}@{domain}", letters::name(user));
        let users = letters::users().map(|user| format!("{},,acme", address(user))).collect();
        let entry = |user| letters::listed(user).map(move |sender| format!("{},personal,{sender}", address(user)));
        let entries = letters::users().flat_map(entry).collect();
        daemon.command(&["user", "import", &file("users.csv", "address,aliases,organisation", users)]);
        daemon.command(&["entry", "import", &file("entries.csv", "user,list,value", entries)]);
        Self { domain: domain.to_owned(), sink: Sink::start(), messages }
    }

    /// A course by way of the split.
    pub fn split(settings: Settings, messages: usize) -> (Self, Plan) {
        let plan = Plan::new(settings);
        let course = Self::new(&plan.domain, &plan.daemon, messages);
        let lines = course.sink.main_cf();
        (course, plan.main_cf(&lines))
    }

    /// Sends the messages while `fault` runs, and more if it lasts longer.
    pub fn run(&self, smtp: u16, fault: impl FnOnce(&Progress)) -> Sending {
        let (progress, start) = (Progress::default(), Instant::now());
        thread::scope(|scope| {
            let _end = EndOfFault(&progress);
            for _ in 0..SESSIONS {
                scope.spawn(|| self.session(smtp, &progress));
            }
            fault(&progress);
        });
        let messages = progress.accepted.into_inner();
        assert!(messages >= self.messages, "{messages} messages were sent");
        Sending { messages, retries: progress.retries.into_inner(), took: start.elapsed(), start }
    }

    /// The same through the split: all copies have arrived, each as its recipient's list asks for.
    pub fn run_split(&self, road: &mut Road, fault: impl FnOnce(&mut Road, &Progress)) -> Figures {
        let sending = self.run(road.first(), |progress| fault(road, progress));
        self.settle(&road.postfix);
        self.figures(&sending, |letter, user, copy| {
            assert_eq!(copy.recipient, self.address(user));
            // Neither a marker nor anything else is there that was not in the message.
            assert_eq!(copy.message.without_trace(), letter.tagged_for(user), "the copy of {}", copy.recipient);
        })
    }

    /// One SMTP session after another, for as long as there is something to send.
    fn session(&self, smtp: u16, progress: &Progress) {
        let mut session = None;
        while let Some(number) = progress.next(self.messages) {
            let letter = Letter::new(number);
            let (from, message) = (letter.from(), letter.message());
            let mut recipients: Vec<String> = letter.recipients.iter().map(|&user| self.address(user)).collect();
            wait_until("a message to be taken", || {
                let taken = attempt(smtp, &mut session, &from, &mut recipients, &message);
                if taken.is_none() {
                    progress.retries.fetch_add(1, Ordering::Relaxed);
                }
                taken
            });
            progress.accepted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the queue is empty.
    pub fn settle(&self, postfix: &Postfix) {
        let mut arrived = 0;
        while !postfix.is_idle() {
            let more = poll(PATIENCE, || (postfix.is_idle() || self.sink.len() > arrived).then_some(()));
            assert!(more.is_some(), "the queue does not empty\n{}\n{}", postfix.queued_text(), postfix.tail());
            arrived = self.sink.len();
        }
    }

    /// Holds every copy against what was to be, and counts.
    ///
    /// # Panics
    /// When a copy is missing, or is one of which nobody knows, or `is_right` says so.
    pub fn figures(&self, sending: &Sending, is_right: impl Fn(&Letter, usize, &Copy)) -> Figures {
        let copies = self.sink.take();
        let mut arrived: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for copy in &copies {
            let letter = Letter::new(letters::number(&copy.message));
            let name = copy.recipient.split(['+', '@']).next().unwrap_or_default();
            let user = letters::user(name).filter(|user| letter.recipients.contains(user));
            let user = user.unwrap_or_else(|| panic!("{} was sent no message {}", copy.recipient, letter.number));
            is_right(&letter, user, copy);
            *arrived.entry((letter.number, user)).or_default() += 1;
        }
        let (mut recipients, mut personal) = (0, 0);
        for letter in (0..sending.messages).map(Letter::new) {
            personal += usize::from(letter.is_personal());
            for &user in &letter.recipients {
                recipients += 1;
                let address = self.address(user);
                assert!(arrived.contains_key(&(letter.number, user)), "message {} to {address} is lost", letter.number);
            }
        }
        let Sending { messages, retries, took, start } = *sending;
        let delivered = start.elapsed();
        Figures { messages, recipients, personal, retries, duplicates: copies.len() - recipients, took, delivered }
    }

    fn address(&self, user: usize) -> String {
        format!("{}@{}", letters::name(user), self.domain)
    }
}

/// Tries once to send to all that are left; leaves those that the MTA wants to have tried again.
fn attempt(
    smtp: u16,
    session: &mut Option<Smtp>,
    from: &str,
    recipients: &mut Vec<String>,
    message: &Message,
) -> Option<()> {
    let mut open = session.take().or_else(|| Smtp::open(smtp).ok())?;
    let sent = open.send_pipelined(from, recipients, message.bytes()).ok()?;
    // What follows a MAIL that was refused is out of order.
    let rcpts = sent.rcpts.iter().filter(|_| sent.mail.is_ok());
    let mut replies = [&sent.mail].into_iter().chain(rcpts).chain(&sent.end);
    assert!(replies.all(|reply| reply.code < 500), "refused for good: {sent:#?}");
    if sent.end.as_ref().is_some_and(Reply::is_ok) {
        let mut taken = sent.rcpts.iter().map(Reply::is_ok);
        recipients.retain(|_| !taken.next().unwrap_or_default());
    }
    // What Postfix thinks of a milter sticks for a session: after a 4xx a new one begins.
    *session = sent.refusal().is_none().then_some(open);
    recipients.is_empty().then_some(())
}

/// How far the sending is, for the fault that runs beside it.
#[derive(Default)]
pub struct Progress {
    begun: AtomicUsize,
    accepted: AtomicUsize,
    retries: AtomicUsize,
    fault_is_over: AtomicBool,
}

impl Progress {
    /// How many messages have been accepted for all their recipients.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Waits until so many messages have been accepted.
    ///
    /// # Panics
    /// When none is for [`PATIENCE`].
    pub fn reach(&self, messages: usize) {
        while self.accepted() < messages {
            let before = self.accepted();
            wait_until("another message to be accepted", || (self.accepted() > before).then_some(()));
        }
    }

    /// Waits until so many more messages have been accepted.
    pub fn pass(&self, messages: usize) {
        self.reach(self.accepted() + messages);
    }

    /// The number of the next message to send, if there is one.
    fn next(&self, messages: usize) -> Option<usize> {
        let is_over = || self.fault_is_over.load(Ordering::Relaxed).then_some(());
        if self.begun.load(Ordering::Relaxed) >= messages && poll(PACE, is_over).is_some() {
            return None;
        }
        Some(self.begun.fetch_add(1, Ordering::Relaxed))
    }
}

/// Lets the sending end, however the fault ended.
struct EndOfFault<'a>(&'a Progress);

impl Drop for EndOfFault<'_> {
    fn drop(&mut self) {
        self.0.fault_is_over.store(true, Ordering::Relaxed);
    }
}

/// How the sending went.
pub struct Sending {
    messages: usize,
    retries: usize,
    took: Duration,
    start: Instant,
}

/// What a run comes to.
pub struct Figures {
    pub messages: usize,
    recipients: usize,
    /// Messages that at least one recipient's copy is edited of.
    personal: usize,
    /// Attempts that ended with a 4xx or a lost connection.
    pub retries: usize,
    /// Copies beyond the first for a recipient.
    pub duplicates: usize,
    took: Duration,
    delivered: Duration,
}

impl Figures {
    pub fn show(&self, what: &str) {
        scratch::show(&format!("{what}: {self}"));
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, recipients, personal, retries, duplicates, took, delivered } = self;
        let rate = *messages as f64 / took.as_secs_f64();
        write!(
            f,
            "{messages} messages to {recipients} recipients, {personal} of them personal to somebody; accepted in {:.1} s \
             ({rate:.0}/s), the last copy checked after {:.1} s; {retries} retries, {duplicates} duplicates, none lost",
            took.as_secs_f64(),
            delivered.as_secs_f64(),
        )
    }
}
