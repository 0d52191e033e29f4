//! One run: the milter is asked how it wants to be spoken to, the threads open their connections, warm up, and send; the
//! processor time on both sides is read between the stretches, when nothing is under way.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;

use super::blocks::{Script, Sizes, WritePattern};
use super::connection::{Names, Talk};
use super::fared::Check;
use super::load::{Load, Sent, Task};
use super::pace::Stretch;
use super::process::Process;
use super::socket::Target;
use super::tally::Tally;
use super::workload::{Audience, Mixture, People, Plan};
use crate::milter::client::{Client, ClientError, ClientOptions};
use crate::milter::listen::ListenAddress;

/// What is sent, and how. The defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections that send.
    pub connections: usize,
    /// Connections that are opened and never used.
    pub idle_connections: usize,
    /// Threads of the generator; no more than there are connections.
    pub threads: NonZeroUsize,
    /// Messages that count; no limit where only `time` ends the run.
    pub messages: u64,
    /// The end, if it comes before that of the messages.
    pub time: Option<Duration>,
    /// Messages before these, which do not count.
    pub warmup: u64,
    /// Messages a connection; `None` keeps it.
    pub per_connection: Option<u64>,
    /// Messages a second, whether or not the milter keeps up; `None` for as many as it takes.
    pub rate: Option<f64>,
    /// How a message is spread over writes.
    pub pattern: WritePattern,
    /// How large it is.
    pub sizes: Sizes,
    /// To whom.
    pub recipients: Recipients,
    /// From whom.
    pub mixture: Mixture,
    /// What stands before a personal message's Subject.
    pub tag: String,
    /// What is looked at in an answer.
    pub check: Check,
    /// How long a reply may take.
    pub timeout: Duration,
    /// The milter's process, where it is not the one that listens.
    pub milter: Option<Process>,
}

/// Whom messages go to.
#[derive(Debug, Clone)]
pub enum Recipients {
    /// The users of a store that `bench seed` filled.
    Seeded(People),
    /// Addresses that the operator named.
    Listed(Vec<String>),
}

impl Recipients {
    fn audience(&self) -> Audience {
        match self {
            Self::Seeded(people) => Audience::People(*people),
            Self::Listed(all) => Audience::Named(u32::try_from(all.len()).unwrap_or(u32::MAX)),
        }
    }

    fn names(&self) -> Names {
        match self {
            Self::Seeded(_) => Names::Seeded,
            Self::Listed(all) => Names::Listed(all.clone()),
        }
    }
}

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The milter does not answer, or not as one.
    #[error("{address}: {fault}")]
    Milter {
        /// Where it should listen.
        address: ListenAddress,
        /// What is wrong.
        fault: ClientError,
    },
    /// The system has no more of something.
    #[error("the generator: {0}")]
    System(#[from] io::Error),
}

/// What came out of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was counted.
    pub tally: Tally,
    /// From the first message that counts to the last reply.
    pub time: Duration,
    /// The generator's processor time.
    pub own_time: Duration,
    /// The milter's, where it is known.
    pub milter: Option<MilterUse>,
    /// Bytes of one message with one recipient, without those that open the connection.
    pub message_bytes: usize,
}

/// What the milter's process used.
#[derive(Debug, Clone, Copy)]
pub struct MilterUse {
    /// Which process.
    pub process: Process,
    /// Its processor time.
    pub time: Duration,
    /// Its resident memory after the run, in bytes.
    pub memory: u64,
}

impl Outcome {
    /// Messages a second.
    pub fn throughput(&self) -> f64 {
        self.tally.messages as f64 / self.time.as_secs_f64()
    }

    /// The generator's processor seconds for 1,000 messages.
    pub fn own_cost(&self) -> f64 {
        self.cost(self.own_time)
    }

    /// The milter's processor seconds for 1,000 messages.
    pub fn milter_cost(&self) -> Option<f64> {
        self.milter.map(|milter| self.cost(milter.time))
    }

    fn cost(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1000.0 / self.tally.messages.max(1) as f64
    }
}

/// A run that is ready: the milter was met, the messages are drawn.
pub struct Run<'o> {
    options: &'o Options,
    task: Task,
    milter: Option<Process>,
}

impl<'o> Run<'o> {
    /// Meets the milter and draws the messages.
    ///
    /// # Errors
    /// [`BenchError::Milter`].
    pub fn new(address: &ListenAddress, options: &'o Options) -> Result<Self, BenchError> {
        let failed = |fault| BenchError::Milter { address: address.clone(), fault };
        let target = Target::new(address).map_err(|error| failed(error.into()))?;
        let met = ClientOptions { read_timeout: options.timeout, ..ClientOptions::default() };
        let client = Client::connect(address, &met).map_err(failed)?;
        let dialogue = client.dialogue().clone();
        match client.quit() {
            // Postfix does not wait for the milter to close.
            Ok(()) | Err(ClientError::Io(_)) => {}
            Err(fault) => return Err(failed(fault)),
        }
        let talk = Talk {
            script: Script::new(&dialogue, options.sizes, options.pattern),
            dialogue,
            names: options.recipients.names(),
            tag: options.tag.clone().into_bytes(),
            check: options.check,
        };
        let plan = Plan::draw(&options.recipients.audience(), &options.mixture, options.messages);
        let milter = options.milter.or_else(|| Process::listening(&target));
        let task = Task {
            target,
            talk,
            plan,
            per_connection: options.per_connection,
            timeout: options.timeout,
            progress: AtomicU64::new(0),
        };
        Ok(Self { options, task, milter })
    }

    /// Sends everything; `progress` is told how far it is.
    ///
    /// # Errors
    /// [`BenchError::System`].
    pub fn run(&self, progress: &ProgressBar) -> Result<Outcome, BenchError> {
        let threads = self.options.threads.get().min(self.options.connections.max(1));
        self.task.progress.store(0, Ordering::Relaxed);
        let (reports, inbox) = channel();
        thread::scope(|scope| {
            let starts: Vec<Sender<()>> = (0..threads)
                .map(|index| {
                    let (start, started) = channel();
                    let reports = reports.clone();
                    scope.spawn(move || {
                        if let Err(error) = self.send(Part { index, threads }, &started, &reports) {
                            // Nobody listens only where another thread failed before.
                            let _ = reports.send(Err(error));
                        }
                    });
                    start
                })
                .collect();
            drop(reports);
            let go = || starts.iter().all(|start| start.send(()).is_ok());
            self.gather(&inbox, threads, progress)?;
            let before = self.used();
            go();
            let sent = self.gather(&inbox, threads, progress)?;
            let after = self.used();
            go();
            Ok(self.outcome(&sent, &before, &after))
        })
    }

    /// What a thread does: it warms up, waits, sends, waits, and parts from the milter.
    fn send(&self, part: Part, started: &Receiver<()>, reports: &Sender<Report>) -> io::Result<()> {
        let options = self.options;
        let idle = part.of(options.idle_connections as u64) as usize;
        let connections = part.of(options.connections as u64) as usize + idle;
        let mut load = Load::new(&self.task, connections, idle)?;
        let step = part.threads as u64;
        let first = part.index as u64;
        let warmup = part.of(options.warmup);
        let sent = load.run(&Stretch { first, step, messages: warmup, time: None, interval: None })?;
        let _ = reports.send(Ok(sent));
        if started.recv().is_err() {
            return Ok(());
        }
        let interval = options.rate.map(|rate| Duration::from_secs_f64(step as f64 / rate));
        let messages = part.of(options.messages);
        let stretch = Stretch { first: first + warmup * step, step, messages, time: options.time, interval };
        let sent = load.run(&stretch)?;
        let _ = reports.send(Ok(sent));
        // The milter's memory is read while its connections are open.
        let _ = started.recv();
        load.quit();
        Ok(())
    }

    /// Waits for a report of each thread.
    fn gather(
        &self,
        inbox: &Receiver<Report>,
        threads: usize,
        progress: &ProgressBar,
    ) -> Result<Vec<Sent>, BenchError> {
        let mut sent = Vec::with_capacity(threads);
        while sent.len() < threads {
            match inbox.recv_timeout(Duration::from_millis(50)) {
                Ok(report) => sent.push(report?),
                Err(RecvTimeoutError::Timeout) => progress.set_position(self.task.progress.load(Ordering::Relaxed)),
                Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("a thread is gone").into()),
            }
        }
        Ok(sent)
    }

    fn used(&self) -> Used {
        Used { own: Process::own().processor_time(), milter: self.milter.and_then(Process::processor_time) }
    }

    fn outcome(&self, sent: &[Sent], before: &Used, after: &Used) -> Outcome {
        let mut tally = Tally::default();
        sent.iter().for_each(|sent| tally.add(&sent.tally));
        let spent = |after: Option<Duration>, before: Option<Duration>| Some(after?.saturating_sub(before?));
        let milter = self.milter.and_then(|process| {
            let time = spent(after.milter, before.milter)?;
            Some(MilterUse { process, time, memory: process.memory()? })
        });
        Outcome {
            tally,
            time: sent.iter().map(|sent| sent.time).max().unwrap_or_default(),
            own_time: spent(after.own, before.own).unwrap_or_default(),
            milter,
            message_bytes: self.task.talk.script.wire_bytes(1, 24),
        }
    }
}

type Report = io::Result<Sent>;

/// Which of the threads one is.
#[derive(Debug, Clone, Copy)]
struct Part {
    index: usize,
    threads: usize,
}

impl Part {
    /// Its part of something that is divided among the threads.
    fn of(self, whole: u64) -> u64 {
        let (index, threads) = (self.index as u64, self.threads as u64);
        whole / threads + u64::from(index < whole % threads)
    }
}

/// Processor times.
struct Used {
    own: Option<Duration>,
    milter: Option<Duration>,
}
