//! One connection: read, let the conversation answer, write, in one task and mostly in one poll.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use super::stream::Stream;
use super::thread::Place;
use super::{Closed, ConnectionInfo, Conversation, Conversations, Flow, Limits, Phase};

/// The most that the shared answer buffer keeps for the next answer.
const OUTPUT_KEPT: usize = 64 * 1024;

/// What the thread knows of a connection, to keep its time and to end it.
pub(super) struct Handle {
    phase: Cell<Phase>,
    /// Since when, by the thread's clock.
    since: Cell<Duration>,
    /// Since when an answer waits for the MTA to read.
    stalled_since: Cell<Option<Duration>>,
    /// The drain found a message under way.
    drain_waits: Cell<bool>,
    /// Set from outside, it ends the connection at its next poll.
    end: Cell<Option<Closed>>,
    /// How it ended.
    ended: Cell<Option<Closed>>,
    waker: RefCell<Option<Waker>>,
}

impl Handle {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            phase: Cell::new(Phase::Negotiating),
            since: Cell::new(now),
            stalled_since: Cell::new(None),
            drain_waits: Cell::new(false),
            end: Cell::new(None),
            ended: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// The limit that this connection is over. `slack` is by how much the times it noted may be too early.
    pub(super) fn overdue(&self, now: Duration, slack: Duration, limits: &Limits) -> Option<Closed> {
        let over = |since: Duration, limit: Duration| now.saturating_sub(since) > limit + slack;
        if self.end.get().is_some() {
            return None;
        }
        if let Some(since) = self.stalled_since.get() {
            return over(since, limits.handshake_time).then_some(Closed::AnswerTime);
        }
        let (limit, closed) = match self.phase.get() {
            Phase::Negotiating | Phase::PartialFrame => (limits.handshake_time, Closed::HandshakeTime),
            Phase::Idle => (limits.idle_time, Closed::IdleTime),
            Phase::Message(_) => (limits.message_time, Closed::MessageTime),
        };
        over(self.since.get(), limit).then_some(closed)
    }

    /// Ends the connection, unless that was done already.
    pub(super) fn cut(&self, closed: Closed) {
        if self.end.get().is_none() {
            self.end.set(Some(closed));
        }
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Ends the connection if nothing is under way, else notes that the drain waits for it.
    pub(super) fn drain(&self) {
        if self.may_end() {
            self.cut(Closed::Drained);
        } else {
            self.drain_waits.set(true);
        }
    }

    /// How the connection ended, if the drain waited for it.
    pub(super) fn drained(&self) -> Option<Closed> {
        self.drain_waits.get().then(|| self.ended.get()).flatten()
    }

    fn may_end(&self) -> bool {
        !matches!(self.phase.get(), Phase::Message(_)) && self.stalled_since.get().is_none()
    }

    fn note_phase(&self, phase: Phase, now: Duration) {
        if phase != self.phase.get() || phase == Phase::Idle {
            self.phase.set(phase);
            self.since.set(now);
        }
    }

    fn note_waker(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}

/// A connection, owned by its task.
pub(super) struct Connection<C: Conversations> {
    stream: Stream,
    conversation: C::Conversation,
    handle: Rc<Handle>,
    /// The rest of an answer that the MTA does not take yet; nothing is read meanwhile.
    unsent: Vec<u8>,
    /// Set once the conversation wants to close; what is unsent goes out first.
    closing: bool,
    place: Place<C>,
}

impl<C: Conversations> Connection<C> {
    /// Serves a connection to its end.
    pub(super) async fn serve(stream: Stream, info: ConnectionInfo, handle: Rc<Handle>, place: Place<C>) {
        let number = info.number;
        let conversations = &place.thread.shared.conversations;
        let opened = guarded(|| conversations.open(info));
        let Some(conversation) = opened else {
            return tracing::error!(connection = number, "connection closed: {}", Closed::Panicked);
        };
        let mut connection = Self { stream, conversation, handle, unsent: Vec::new(), closing: false, place };
        let closed = poll_fn(|context| connection.poll(context)).await;
        connection.handle.ended.set(Some(closed));
        if guarded(|| connection.conversation.closed(closed)).is_none() {
            tracing::error!(connection = number, "its farewell: {}", Closed::Panicked);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Closed> {
        loop {
            if let Some(closed) = self.handle.end.get() {
                return Poll::Ready(closed);
            }
            let polled = self.poll_step(context);
            if polled.is_pending() {
                self.handle.note_waker(context.waker());
            }
            if let Err(closed) = ready!(polled) {
                return Poll::Ready(closed);
            }
        }
    }

    /// Writes what is unsent, or else reads once and answers.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if !self.unsent.is_empty() {
            while !self.unsent.is_empty() {
                match ready!(self.stream.poll_write(context, &self.unsent)) {
                    Ok(0) => return Poll::Ready(Err(Closed::Failed(io::ErrorKind::WriteZero))),
                    Ok(written) => drop(self.unsent.drain(..written)),
                    Err(error) => return Poll::Ready(Err(Closed::Failed(error.kind()))),
                }
            }
            self.unsent = Vec::new();
            self.stream.written();
            self.handle.stalled_since.set(None);
        }
        if self.closing {
            return Poll::Ready(Err(Closed::ByConversation));
        }
        if self.place.thread.is_draining() && self.handle.may_end() {
            return Poll::Ready(Err(Closed::Drained));
        }
        self.poll_exchange(context)
    }

    /// Reads once, lets the conversation answer, and writes the answer as far as it goes.
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let thread = &self.place.thread;
        let mut buffer = thread.input.borrow_mut();
        let input = match ready!(self.stream.poll_read(context, &mut buffer)) {
            Ok(0) => return Poll::Ready(Err(Closed::ByPeer)),
            Ok(read) => &buffer[..read],
            Err(error) => return Poll::Ready(Err(Closed::Failed(error.kind()))),
        };
        let mut output = thread.output.borrow_mut();
        output.clear();
        let answered = guarded(|| {
            let flow = self.conversation.receive(input, &mut output);
            (flow, self.conversation.phase())
        });
        let Some((flow, phase)) = answered else {
            return Poll::Ready(Err(Closed::Panicked));
        };
        self.handle.note_phase(phase, thread.now());
        self.closing = flow == Flow::Close;
        let limit = thread.shared.limits.answer_bytes;
        let result = if output.len() > limit {
            Err(Closed::AnswerBytes)
        } else if output.is_empty() {
            self.stream.acknowledge();
            Ok(())
        } else {
            match self.stream.write_now(&output) {
                Ok(written) if written == output.len() => Ok(()),
                Ok(written) => {
                    self.unsent = output[written..].to_vec();
                    self.handle.stalled_since.set(Some(thread.now()));
                    Ok(())
                }
                Err(error) => Err(Closed::Failed(error.kind())),
            }
        };
        output.clear();
        output.shrink_to(OUTPUT_KEPT);
        Poll::Ready(result)
    }
}

/// Calls into the conversation; a panic there ends the connection alone.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    // What a panic may leave inconsistent is the conversation, which is asked for nothing more but its farewell.
    catch_unwind(AssertUnwindSafe(call)).ok()
}
