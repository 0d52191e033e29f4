//! The log: one line an event, on standard error, where systemd and a terminal both find it.

use std::io::{self, BufWriter};

use tracing::Level;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::app::LostLines;
use crate::config::{Config, LogFormat};

/// Lines of the daemon that wait to be written. Where whatever reads standard error is slower than that, further lines are
/// lost and counted: mail does not wait for the log.
const WAITING_LINES: usize = 16 * 1024;
/// Lines that wait are written together, up to this many bytes at once.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// The daemon's log, on a thread of its own. What waits is written when this is dropped.
pub struct DaemonLog {
    /// Lines that were lost so far.
    pub lost: LostLines,
    _writer: WorkerGuard,
}

impl DaemonLog {
    /// Starts the log as the configuration has it. A second call changes nothing.
    pub fn start(config: &Config) -> Self {
        let writer = BufWriter::with_capacity(WRITTEN_AT_ONCE, io::stderr());
        let builder = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true).thread_name("log");
        let (lines, guard) = builder.finish(writer);
        let lost = lines.error_counter();
        log_to(lines, config.log.format, config.log.level.into());
        Self { lost: LostLines::new(move || lost.dropped_lines()), _writer: guard }
    }
}

/// Has this process log at once, for commands. A second call changes nothing.
pub fn log_to_stderr(config: &Config, level: Level) {
    log_to(io::stderr, config.log.format, level);
}

fn log_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, format: LogFormat, level: Level) {
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(writer).with_target(false);
    // A line that cannot be written (a full disk, a pipe that nobody reads) is lost. It would be told of on standard error,
    // by a macro that panics where that cannot be written to, and the panic would end the connection that logged.
    let builder = builder.log_internal_errors(false);
    let set = match format {
        LogFormat::Text => builder.with_ansi(false).finish().with(worth_a_line(level)).try_init(),
        LogFormat::Json => builder.json().finish().with(worth_a_line(level)).try_init(),
    };
    drop(set);
}

/// Not what anybody can have written at will: for each cookie that was made up the keeper of sessions has a line.
fn worth_a_line(level: Level) -> Targets {
    Targets::new().with_default(LevelFilter::from_level(level)).with_target("tower_sessions_core", LevelFilter::ERROR)
}
