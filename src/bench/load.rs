//! One thread of the generator: an event loop over its connections. A reply is taken, checked, and answered by the next
//! message at once (flat out), or the next message waits until it is due (at a rate).

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mio::event::Event as Readiness;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::connection::{Conversation, Fault, Heard, Talk, Turn};
use super::fared::Fared;
use super::pace::{Due, Pace, Stretch};
use super::socket::{Socket, Target};
use super::tally::{Stage, Tally};
use super::workload::Plan;
use crate::milter::client::ClientError;
use crate::milter::negotiate::Event;

/// What one read takes at most.
const READ_BYTES: usize = 64 * 1024;
/// Failed connections after which a thread gives up.
const MAX_FAULTS: u64 = 100;
/// How often the time limit is looked at, and a full listen queue tried again.
const SWEEP: Duration = Duration::from_millis(100);
const AGAIN: Duration = Duration::from_millis(1);
/// The timer of a rate ticks no faster; more messages are then due at a tick.
const SHORTEST_TICK: Duration = Duration::from_micros(50);

/// What all threads of a run share.
#[derive(Debug)]
pub struct Task {
    /// Where the milter listens.
    pub target: Target,
    /// How it is spoken to.
    pub talk: Talk,
    /// The messages.
    pub plan: Plan,
    /// Messages a connection; `None` keeps it.
    pub per_connection: Option<u64>,
    /// How long a reply may take.
    pub timeout: Duration,
    /// Messages that came to their end, for a progress bar.
    pub progress: AtomicU64,
}

/// What came of a stretch.
#[derive(Debug)]
pub struct Sent {
    /// What was counted.
    pub tally: Tally,
    /// From its beginning to its last reply.
    pub time: Duration,
}

/// A thread's connections.
pub struct Load<'t> {
    task: &'t Task,
    poll: Poll,
    lanes: Vec<Lane>,
    /// Lanes of the active ones that have no message.
    free: Vec<usize>,
    /// Lanes whose connect met a full listen queue.
    again: Vec<usize>,
    timer: Option<TimerFd>,
    read: Box<[u8]>,
    out: Vec<u8>,
    began: Instant,
    /// Nanoseconds since `began`, when it was looked at last.
    now: u64,
    tally: Tally,
    faults: u64,
    pace: Pace,
    /// Lanes with a message.
    busy: usize,
}

/// One connection, as it comes and goes.
#[derive(Default)]
struct Lane {
    socket: Option<Socket>,
    conversation: Conversation,
    /// The message at hand.
    message: Option<u64>,
    /// From when its time counts.
    since: u64,
    /// When the last write that awaits a reply began.
    asked: u64,
    /// What the kernel did not take yet, and whether more is to be written then.
    unsent: Vec<u8>,
    turn: Option<Turn>,
}

impl<'t> Load<'t> {
    /// A thread's connections, of which the last `idle` are opened and never used.
    ///
    /// # Errors
    /// The system's.
    pub fn new(task: &'t Task, connections: usize, idle: usize) -> io::Result<Self> {
        let mut lanes = Vec::new();
        lanes.resize_with(connections, Lane::default);
        let mut load = Self {
            task,
            poll: Poll::new()?,
            lanes,
            free: (0..connections - idle.min(connections)).rev().collect(),
            again: Vec::new(),
            timer: None,
            read: vec![0; READ_BYTES].into_boxed_slice(),
            out: Vec::new(),
            began: Instant::now(),
            now: 0,
            tally: Tally::default(),
            faults: 0,
            pace: Pace::default(),
            busy: 0,
        };
        for lane in 0..connections {
            load.connect(lane);
        }
        Ok(load)
    }

    /// Sends the messages of a stretch and waits for the last reply.
    ///
    /// # Errors
    /// The system's, where events can no longer be waited for.
    pub fn run(&mut self, stretch: &Stretch) -> io::Result<Sent> {
        self.look();
        self.pace = Pace::new(stretch, self.now);
        self.set_timer(stretch.interval)?;
        let mut events = Events::with_capacity(1024);
        let mut swept = self.now;
        self.hand_out();
        while self.busy > 0 || !self.pace.is_exhausted(self.now) {
            let wait = if self.again.is_empty() { SWEEP } else { AGAIN };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.look();
            for event in &events {
                self.on(event);
            }
            if !self.again.is_empty() {
                std::mem::take(&mut self.again).into_iter().for_each(|lane| self.connect(lane));
            }
            if self.now - swept > SWEEP.as_nanos() as u64 {
                swept = self.now;
                self.sweep();
            }
            self.hand_out();
        }
        self.set_timer(None)?;
        let time = Duration::from_nanos(self.pace.elapsed(self.now));
        Ok(Sent { tally: std::mem::take(&mut self.tally), time })
    }

    /// Parts from the milter.
    pub fn quit(mut self) {
        for lane in 0..self.lanes.len() {
            self.part(lane);
        }
    }

    fn look(&mut self) {
        self.now = self.began.elapsed().as_nanos() as u64;
    }

    fn set_timer(&mut self, interval: Option<Duration>) -> io::Result<()> {
        if let Some(timer) = self.timer.take() {
            self.poll.registry().deregister(&mut SourceFd(&timer.as_fd().as_raw_fd()))?;
        }
        let Some(interval) = interval else { return Ok(()) };
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let token = Token(self.lanes.len());
        self.poll.registry().register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        let tick = TimeSpec::from_duration(interval.max(SHORTEST_TICK));
        timer.set(Expiration::Interval(tick), TimerSetTimeFlags::empty())?;
        self.timer = Some(timer);
        Ok(())
    }

    /// Begins messages on free lanes, as far as they are due.
    fn hand_out(&mut self) {
        while let Some(&lane) = self.free.last()
            && let Some(due) = self.pace.take(self.now)
        {
            self.free.pop();
            self.begin(lane, due);
        }
    }

    fn begin(&mut self, index: usize, due: Due) {
        let lane = &mut self.lanes[index];
        lane.message = Some(due.number);
        lane.since = due.since;
        self.busy += 1;
        if lane.socket.is_none() {
            self.connect(index);
        } else if lane.turn != Some(Turn::Await) {
            self.out.clear();
            self.start(index);
        }
    }

    fn connect(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        match Socket::connect(&self.task.target, self.poll.registry(), Token(index)) {
            Ok(socket) => {
                lane.socket = Some(socket);
                lane.asked = self.now;
                self.out.clear();
                lane.conversation.open(&mut self.out);
                lane.turn = Some(Turn::Await);
                self.send(index);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.again.push(index),
            Err(error) => self.fault(index, &Fault::Connect(error)),
        }
    }

    /// Writes the beginning of the lane's message.
    fn start(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let Some(number) = lane.message else { return };
        lane.conversation.begin(&self.task.plan.message(number), &mut self.out);
        self.go_on(index);
    }

    /// Writes up to where a reply is awaited. `out` holds what goes before it.
    fn go_on(&mut self, index: usize) {
        self.lanes[index].asked = self.now;
        loop {
            let lane = &mut self.lanes[index];
            let Some(number) = lane.message else { return };
            let turn = lane.conversation.write(&self.task.talk, &self.task.plan.message(number), &mut self.out);
            lane.turn = Some(turn);
            if !self.send(index) || turn == Turn::Await {
                return;
            }
            self.out.clear();
        }
    }

    /// Writes `out`; true if the kernel took it all.
    fn send(&mut self, index: usize) -> bool {
        let lane = &mut self.lanes[index];
        let Some(socket) = &mut lane.socket else { return false };
        match socket.write(&self.out) {
            Ok(written) if written == self.out.len() => {
                self.tally.bytes += written as u64;
                true
            }
            Ok(written) => {
                self.tally.bytes += written as u64;
                lane.unsent.clear();
                lane.unsent.extend_from_slice(&self.out[written..]);
                self.watch(index, Interest::READABLE | Interest::WRITABLE);
                false
            }
            Err(error) => {
                self.fault(index, &ClientError::Io(error).into());
                false
            }
        }
    }

    fn watch(&mut self, index: usize, interest: Interest) {
        let Some(socket) = &mut self.lanes[index].socket else { return };
        if let Err(error) = socket.watch(self.poll.registry(), Token(index), interest) {
            self.fault(index, &ClientError::Io(error).into());
        }
    }

    fn on(&mut self, event: &Readiness) {
        let Token(index) = event.token();
        if index >= self.lanes.len() {
            // The timer ticks on once it was read; what is due is handed out after the events.
            let _read = self.timer.as_ref().map(TimerFd::wait);
            return;
        }
        if event.is_writable() && !self.lanes[index].unsent.is_empty() {
            self.flush(index);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.receive(index);
        }
    }

    /// Writes what the kernel did not take before.
    fn flush(&mut self, index: usize) {
        self.out.clear();
        self.out.append(&mut self.lanes[index].unsent);
        if !self.send(index) {
            return;
        }
        self.watch(index, Interest::READABLE);
        if self.lanes[index].turn == Some(Turn::Write) {
            self.out.clear();
            self.go_on(index);
        }
    }

    fn receive(&mut self, index: usize) {
        loop {
            let lane = &mut self.lanes[index];
            let Some(socket) = &mut lane.socket else { return };
            let length = match socket.read(&mut self.read) {
                Ok(Some(length)) => length,
                Ok(None) => return,
                Err(error) => return self.fault(index, &ClientError::Io(error).into()),
            };
            match lane.conversation.receive(&self.task.talk, &self.read[..length]) {
                Ok(heard) => self.heard(index, heard),
                Err(fault) => return self.fault(index, &fault),
            }
            // A read that is not full has taken all there was.
            if length < self.read.len() {
                return;
            }
        }
    }

    fn heard(&mut self, index: usize, heard: Heard) {
        if heard == Heard::Nothing {
            return;
        }
        self.look();
        let lane = &mut self.lanes[index];
        lane.turn = None;
        self.out.clear();
        match heard {
            Heard::Nothing => {}
            Heard::Negotiated => {
                self.tally.time(Stage::Connect, self.now - lane.asked);
                self.start(index);
            }
            Heard::Reply(event) => {
                if event == Event::Recipient {
                    self.tally.time(Stage::Recipient, self.now - lane.asked);
                }
                self.go_on(index);
            }
            Heard::Over(event, fared) => {
                match event {
                    Event::Recipient => self.tally.time(Stage::Recipient, self.now - lane.asked),
                    Event::EndOfMessage => self.tally.time(Stage::EndOfMessage, self.now - lane.asked),
                    _ => {}
                }
                self.over(index, fared);
            }
        }
    }

    /// Notes how a message fared, and begins the next one where it is due.
    fn over(&mut self, index: usize, fared: Fared) {
        let task = self.task;
        let lane = &mut self.lanes[index];
        let Some(number) = lane.message.take() else { return };
        let kind = task.plan.message(number).kind;
        self.tally.time(Stage::Message, self.now.saturating_sub(lane.since));
        if let Some(mismatch) = fared.mismatch(kind, task.talk.check) {
            self.tally.error(|| format!("message {number}: {mismatch}"));
        }
        self.tally.message(kind, self.pace.elapsed(self.now));
        let is_used_up = task.per_connection.is_some_and(|most| lane.conversation.begun() >= most);
        if is_used_up || lane.conversation.is_settled() {
            self.part(index);
        }
        self.busy -= 1;
        self.task.progress.fetch_add(1, Ordering::Relaxed);
        match self.pace.take(self.now) {
            Some(due) => self.begin(index, due),
            None => self.free.push(index),
        }
    }

    fn part(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let Some(mut socket) = lane.socket.take() else { return };
        if lane.unsent.is_empty() {
            self.out.clear();
            lane.conversation.close(&mut self.out);
            // A milter that is gone already has nothing to be told.
            self.tally.bytes += socket.write(&self.out).unwrap_or(0) as u64;
        }
        lane.unsent.clear();
        lane.turn = None;
    }

    /// A connection failed, and its message with it.
    fn fault(&mut self, index: usize, fault: &Fault) {
        let lane = &mut self.lanes[index];
        lane.socket = None;
        lane.unsent.clear();
        lane.turn = None;
        let message = lane.message.take();
        self.tally.error(|| match message {
            Some(number) => format!("message {number}: {fault}"),
            None => format!("a connection without a message: {fault}"),
        });
        if let Some(number) = message {
            self.tally.message(self.task.plan.message(number).kind, self.pace.elapsed(self.now));
            self.busy -= 1;
            self.free.push(index);
        }
        self.faults += 1;
        if self.faults == MAX_FAULTS && self.pace.stop() {
            self.tally.error(|| format!("{MAX_FAULTS} connections failed; no more messages are sent"));
        }
    }

    /// Ends connections whose reply is overdue.
    fn sweep(&mut self) {
        let limit = self.task.timeout.as_nanos() as u64;
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            let waits = lane.socket.is_some() && lane.turn.is_some();
            if waits && self.now.saturating_sub(lane.asked) > limit {
                self.fault(index, &Fault::Time(self.task.timeout));
            }
        }
    }
}
