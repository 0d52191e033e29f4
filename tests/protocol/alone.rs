//! Tests that need a process of their own: for the log, which is one a process, and for memory, which other tests use as
//! they like. Such a test starts its own program again with nothing to run but itself.

use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Names the test that runs alone.
const VARIABLE: &str = "PERSO_MILTER_TEST_ALONE";
/// What a test wants to be seen in its output begins with this.
pub const SHOWN: &str = "shown:";

/// Runs `test`, whose full name is `name`, in a process of its own, with as many open files as the system allows: both ends
/// of each connection are in it.
pub fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var(VARIABLE).is_ok_and(|running| running == name) {
        return test();
    }
    let script = "ulimit -n $(ulimit -H -n); exec \"$0\" --exact --nocapture --test-threads=1 \"$1\"";
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    let output = command.args(["-c", script]).arg(program).arg(name).env(VARIABLE, name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "no test is called {name}");
    // Between the harness's own words on the same line.
    for line in text.lines().filter_map(|line| line.find(SHOWN).map(|at| &line[at + SHOWN.len()..])) {
        // Not by `println!`, whose output of a passing test is kept back.
        std::io::stderr().write_all(format!("{}\n", line.trim()).as_bytes()).unwrap();
    }
}

/// One line of the log: its level, its connection, and all of it as text.
#[derive(Debug, Clone)]
pub struct Line {
    pub level: Level,
    pub connection: Option<u64>,
    pub text: String,
}

/// The log of this process, from the level `INFO` on, which is what an operator sees by default.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    /// Takes all that is logged from now on. Once a process.
    pub fn capture() -> Self {
        let lines = Self::default();
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.clone())).unwrap();
        lines
    }

    pub fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if *event.metadata().level() <= Level::INFO {
            let mut line = Line { level: *event.metadata().level(), connection: None, text: String::new() };
            event.record(&mut line);
            self.0.lock().unwrap().push(line);
        }
    }

    fn enabled(&self, metadata: &tracing::Metadata<'_>, _context: Context<'_, S>) -> bool {
        *metadata.level() <= Level::INFO
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "connection" {
            self.connection = Some(value);
        }
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text.push_str(&format!("{}={value:?} ", field.name()));
    }
}
