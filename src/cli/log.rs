//! The log: one line an event, on standard error, where systemd and a terminal both find it.

use std::fmt::{Debug, Write};
use std::io::{self, BufWriter};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::app::{LogState, LostLines};
use crate::config::{Config, LogFormat};
use crate::metrics::Troubles;

/// Lines of the daemon that wait to be written. Where whatever reads standard error is slower than that, further lines are
/// lost and counted: mail does not wait for the log.
const WAITING_LINES: usize = 16 * 1024;
/// Lines that wait are written together, up to this many bytes at once.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// The daemon's log, on a thread of its own. What waits is written when this is dropped.
pub struct DaemonLog {
    /// Lines that were lost so far, and the last troubles.
    pub state: LogState,
    _writer: WorkerGuard,
}

impl DaemonLog {
    /// Starts the log as the configuration has it. A second call changes nothing.
    pub fn start(config: &Config) -> Self {
        let writer = BufWriter::with_capacity(WRITTEN_AT_ONCE, io::stderr());
        let builder = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true).thread_name("log");
        let (lines, guard) = builder.finish(writer);
        let lost = lines.error_counter();
        let troubles = Arc::new(Troubles::default());
        log_to(lines, config.log.format, config.log.level.into(), Some(troubles.clone()));
        Self { state: LogState { lost: LostLines::new(move || lost.dropped_lines()), troubles }, _writer: guard }
    }
}

/// Has this process log at once, for commands. A second call changes nothing.
pub fn log_to_stderr(config: &Config, level: Level) {
    log_to(io::stderr, config.log.format, level, None);
}

fn log_to(
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
    format: LogFormat,
    level: Level,
    troubles: Option<Arc<Troubles>>,
) {
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(writer).with_target(false);
    // A line that cannot be written (a full disk, a pipe that nobody reads) is lost. It would be told of on standard error,
    // by a macro that panics where that cannot be written to, and the panic would end the connection that logged.
    let builder = builder.log_internal_errors(false);
    let remember = troubles.map(Remember);
    let set = match format {
        LogFormat::Text => builder.with_ansi(false).finish().with(worth_a_line(level)).with(remember).try_init(),
        LogFormat::Json => builder.json().finish().with(worth_a_line(level)).with(remember).try_init(),
    };
    drop(set);
}

/// Not what anybody can have written at will: for each cookie that was made up the keeper of sessions has a line.
fn worth_a_line(level: Level) -> Targets {
    Targets::new().with_default(LevelFilter::from_level(level)).with_target("tower_sessions_core", LevelFilter::ERROR)
}

/// Remembers warnings and errors.
struct Remember(Arc<Troubles>);

impl<S: Subscriber> Layer<S> for Remember {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut line = Line::default();
            event.record(&mut line);
            self.0.note(Timestamp::now(), &format!("{}{}", line.message, line.fields));
        }
    }
}

/// An event in words: its message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // A text that is written to memory is always written.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
