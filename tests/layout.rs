//! The map of the code in `src/lib.rs`, held: the arrows go down only. Reads the sources as text, and says
//! of each arrow that goes up where it stands and what may stand there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a module may use of ours, by the longest prefix that fits; it may always use itself. `*` is everything.
const ARROWS: &[(&str, &[&str])] = &[
    // Pure decisions: nothing of ours.
    ("policy", &[]),
    ("mark", &[]),
    ("network", &[]),
    ("split", &["policy"]),
    // The bytes of the protocol.
    ("milter::wire", CODEC),
    ("milter::frame", CODEC),
    ("milter::command", CODEC),
    ("milter::reply", CODEC),
    ("milter::negotiate", CODEC),
    // The conversation, without a socket.
    ("milter::settings", &["network", "mark", "split", "policy"]),
    ("milter::addressee", CONVERSATION),
    ("milter::facts", CONVERSATION),
    ("milter::transaction", CONVERSATION),
    ("milter::session", CONVERSATION),
    // Sockets, without the conversation.
    ("milter::listen", &[]),
    ("milter::server", &["milter::listen"]),
    // Both together.
    (
        "milter::connection",
        &["milter::server", "milter::session", "milter::transaction", "milter::facts", "milter::settings", "policy"],
    ),
    (
        "milter::client",
        &["milter::wire", "milter::frame", "milter::command", "milter::reply", "milter::negotiate", "milter::listen"],
    ),
    ("milter", &["policy", "mark", "split"]),
    ("store", &["policy", "network", "language"]),
    ("cache", &["store", "policy"]),
    // The plain types of the milter: what a listener's address and a role are.
    ("config", &["policy", "language", "milter::listen", "network", "milter::settings"]),
    ("language", &[]),
    ("spreadsheet", &[]),
    ("metrics", &["policy", "store", "milter::settings"]),
    ("activity", &["policy", "store", "milter::settings"]),
    ("directory", &["policy", "mark", "split", "store", "cache", "metrics", "activity", "network", "milter::settings"]),
    ("pulse", &["store", "cache", "metrics", "directory"]),
    ("explain", &["policy", "language", "split", "milter::client::message", "milter::settings", "milter::transaction"]),
    ("why", &["policy", "mark", "split", "store", "directory", "activity", "explain", "milter::settings"]),
    // The MTA's side once more, and the store that it is measured on.
    (
        "bench",
        &[
            "policy",
            "store",
            "milter::wire",
            "milter::frame",
            "milter::command",
            "milter::reply",
            "milter::negotiate",
            "milter::listen",
            "milter::client",
        ],
    ),
    ("conflict", &["directory", "policy", "store"]),
    (
        "console",
        &[
            "cache",
            "activity",
            "conflict",
            "directory",
            "explain",
            "language",
            "metrics",
            "milter::client::message",
            "network",
            "milter::settings",
            "policy",
            "spreadsheet",
            "store",
            "why",
        ],
    ),
    ("app", &["activity", "cache", "config", "console", "directory", "metrics", "milter", "policy", "pulse", "store"]),
    ("cli", &["*"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

const CODEC: &[&str] = &["milter::wire", "milter::frame", "milter::command", "milter::reply", "milter::negotiate"];

const CONVERSATION: &[&str] = &[
    "milter::wire",
    "milter::frame",
    "milter::command",
    "milter::reply",
    "milter::negotiate",
    "milter::settings",
    "milter::addressee",
    "milter::facts",
    "milter::transaction",
    "policy",
    "mark",
    "split",
];

/// The libraries that policy may use.
const POLICY_LIBRARIES: &[&str] =
    &["idna", "psl", "siphasher", "regex", "mail_parser", "mail_builder", "smallvec", "thiserror", "proptest"];

/// Where a socket may stand.
const SOCKET_FILES: &[&str] = &[
    "milter/server.rs",
    "milter/server/",
    "milter/listen.rs",
    "milter/client.rs",
    "bench/socket.rs",
    "console/server.rs",
];

/// Where one may stand besides: `check` tries whether an address is free and who answers there, `probe` asks from which
/// address mail would come, `bench` who listens, `demo` whether its usual port is free. None serves anybody.
const PROBES: &[&str] =
    &["cli/demo.rs", "cli/check/listener.rs", "cli/check/postfix/milters.rs", "cli/probe/send.rs", "bench/process.rs"];

/// What is a socket. An address is none.
const SOCKETS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "TcpSocket",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "ToSocketAddrs",
    "tokio::net",
    "os::unix::net",
    "socket2::",
];

/// The helpers that poll until something holds: the only sleep in a test is theirs.
const POLLING_HELPERS: &[&str] = &[
    "tests/cli/harness.rs",
    "tests/console/harness.rs",
    "tests/protocol/harness.rs",
    "tests/store/common.rs",
    "tests/e2e/scratch.rs",
];

/// A source file.
struct Source {
    /// Below the crate's directory.
    path: String,
    /// The module it is, `milter::client::message`.
    module: String,
    /// Its lines without comments, those of its tests left out.
    lines: Vec<(usize, String)>,
}

#[test]
fn arrows_go_down_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let allowed = allowed(&source.module);
        for (line, target) in source.uses() {
            let inside =
                within(&target, source.module.split("::").next().unwrap()) && !source.module.starts_with("milter");
            if inside
                || within(&target, own(&source.module))
                || allowed.iter().any(|may| *may == "*" || within(&target, may))
            {
                continue;
            }
            wrong.push(format!(
                "src/{}:{line}: {} uses {target}; it may use {}",
                source.path,
                source.module,
                if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") }
            ));
        }
    }
    explain(wrong, "an arrow goes up: move the type down, hand a plain value over, or change the map in src/lib.rs");
}

#[test]
fn only_app_cli_and_main_see_the_whole_configuration() {
    let mut wrong = Vec::new();
    for source in sources() {
        if ["app", "cli", "main", "config"].iter().any(|may| within(&source.module, may)) {
            continue;
        }
        let targets = source.uses().into_iter().filter(|(_, target)| within(target, "config"));
        wrong.extend(targets.map(|(line, target)| format!("src/{}:{line}: {target}", source.path)));
    }
    explain(wrong, "the configuration stays with app, cli and main: take the values that are needed");
}

#[test]
fn policy_uses_few_libraries() {
    let mut wrong = Vec::new();
    let libraries = libraries();
    assert!(libraries.contains("tokio") && libraries.contains("mail_parser"), "Cargo.toml is read");
    for source in sources().iter().filter(|source| within(&source.module, "policy")) {
        for (line, text) in &source.lines {
            let foreign = paths(text).into_iter().filter_map(|path| path.split("::").next().map(str::to_owned));
            let foreign = foreign.filter(|root| libraries.contains(root) && !POLICY_LIBRARIES.contains(&&**root));
            wrong.extend(foreign.map(|root| format!("src/{}:{line}: {root}", source.path)));
            for io in ["std::fs", "std::net", "std::io", "std::thread", "std::time", "std::env", "async fn", ".await"] {
                if text.contains(io) {
                    wrong.push(format!("src/{}:{line}: {io}", source.path));
                }
            }
        }
    }
    explain(wrong, &format!("policy is pure; of libraries it has only {}", POLICY_LIBRARIES.join(", ")));
}

#[test]
fn sockets_stand_in_their_files() {
    let mut wrong = Vec::new();
    for source in sources() {
        if SOCKET_FILES.iter().chain(PROBES).any(|file| source.path.starts_with(file)) {
            continue;
        }
        for (line, text) in &source.lines {
            let found = SOCKETS.iter().filter(|socket| text.contains(**socket));
            wrong.extend(found.map(|socket| format!("src/{}:{line}: {socket}", source.path)));
        }
    }
    explain(wrong, &format!("a socket stands only in {}", SOCKET_FILES.join(", ")));
}

#[test]
fn no_code_is_unsafe() {
    for file in ["src/lib.rs", "src/main.rs"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let is_main = file.ends_with("main.rs");
        assert!(
            text.contains("#![forbid(unsafe_code)]") || (is_main && !text.contains("unsafe")),
            "{file} must say #![forbid(unsafe_code)]"
        );
    }
}

#[test]
fn no_test_is_left_out_and_none_waits_for_a_time() {
    let mut wrong = Vec::new();
    let ignore = concat!("#[", "ignore");
    let sleep = concat!("sleep", "(");
    for path in ["src", "tests", "examples"].iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let is_test = !name.starts_with("src/");
        let own_tests = text.find("\nmod tests {").unwrap_or(text.len());
        let mut at = 0;
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim_start().starts_with(ignore) {
                wrong.push(format!("{name}:{number}: a test is left out"));
            }
            let waits = line.contains(sleep) && (is_test || at >= own_tests);
            if waits && !POLLING_HELPERS.contains(&&*name) {
                wrong.push(format!("{name}:{number}: waits for a time"));
            }
            at += line.len() + 1;
        }
    }
    for helper in POLLING_HELPERS {
        let text = fs::read_to_string(root().join(helper)).unwrap_or_default();
        assert!(text.matches(sleep).count() <= 1, "{helper}: the sleep of its polling loop, and no other");
    }
    explain(wrong, "every test runs; a test polls until it holds (`eventually`), and never sleeps");
}

/// The reader of the sources is itself tested: what it misses would go unseen.
#[test]
fn a_use_is_read_however_it_is_written() {
    let source = |text: &str| Source {
        path: "milter/client/message.rs".to_owned(),
        module: "milter::client::message".to_owned(),
        lines: lines(text),
    };
    for (text, expected) in [
        ("use crate::policy::plan::Plan;", vec!["policy::plan::Plan"]),
        ("use crate::{cache::Cache, store::{self, types::User}};", vec!["cache::Cache", "store", "store::types::User"]),
        ("use super::super::reply::Reply;", vec!["milter::reply::Reply"]),
        (
            "use super::{\n    Recipient,\n    dialogue::Due,\n};",
            vec!["milter::client::Recipient", "milter::client::dialogue::Due"],
        ),
        ("let x: crate::config::Listener = y;", vec!["config::Listener"]),
        ("/// See [`crate::config`].\n// use crate::config;", vec![]),
        ("#[cfg(test)]\nmod tests {\n    use crate::app;\n}\n", vec![]),
        ("pub use crate::milter::listen::ListenAddress;", vec!["milter::listen::ListenAddress"]),
    ] {
        let found: Vec<String> = source(text).uses().into_iter().map(|(_, target)| target).collect();
        assert_eq!(found, expected, "{text}");
    }
    assert!(within("policy::plan", "policy") && !within("policyholder", "policy"));
    assert!(sources().len() > 50, "the sources are found");
}

fn explain(wrong: Vec<String>, remedy: &str) {
    assert!(wrong.is_empty(), "{remedy}\n{}", wrong.join("\n"));
}

/// Whether a path is `outer` or stands below it.
fn within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The row of a module: its own name in [`ARROWS`].
fn own(module: &str) -> &str {
    row(module).0
}

fn allowed(module: &str) -> &'static [&'static str] {
    row(module).1
}

fn row(module: &str) -> (&'static str, &'static [&'static str]) {
    let fitting = ARROWS.iter().filter(|(name, _)| within(module, name));
    let longest = fitting.max_by_key(|(name, _)| name.len());
    *longest.unwrap_or_else(|| panic!("tests/layout.rs does not know the module {module}: give it a row in ARROWS"))
}

impl Source {
    /// What of ours is used, each with its line.
    fn uses(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut statement: Option<(usize, String)> = None;
        for (number, line) in &self.lines {
            let (start, text) = match statement.take() {
                Some((start, text)) => (start, text + " " + line.trim()),
                None => (*number, line.trim().to_owned()),
            };
            let is_use = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "].iter().any(|u| text.starts_with(u));
            if is_use && !text.contains(';') {
                statement = Some((start, text));
                continue;
            }
            let all = if is_use {
                let (_, tree) = text.split_once("use ").unwrap();
                expand("", tree.split(';').next().unwrap().trim())
            } else {
                paths(&text)
            };
            found.extend(all.iter().filter_map(|path| self.resolved(path)).map(|path| (start, path)));
        }
        found
    }

    /// A path from the crate's root; `None` for one that is not of ours.
    fn resolved(&self, path: &str) -> Option<String> {
        if self.module == "main" {
            return path.strip_prefix("perso_milter::").map(|path| path.trim_end_matches("::self").to_owned());
        }
        if let Some(path) = path.strip_prefix("crate::") {
            return Some(path.to_owned());
        }
        let mut place: Vec<&str> = self.module.split("::").collect();
        let mut rest = path;
        while let Some(after) = rest.strip_prefix("super::") {
            place.pop();
            rest = after;
        }
        (rest != path).then(|| place.into_iter().chain([rest]).collect::<Vec<_>>().join("::"))
    }
}

/// The paths of a use tree, `a::{b, c::{self, d}}`.
fn expand(prefix: &str, tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap().trim();
        let whole = format!("{prefix}{name}");
        return vec![whole.trim_end_matches("::self").to_owned()];
    };
    let group = group.strip_suffix('}').unwrap_or(group);
    let prefix = format!("{prefix}{head}");
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| expand(&prefix, part)).collect()
}

/// The paths with `::` in a line of code.
fn paths(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::")).map(str::to_owned).collect()
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    rust_files(&src)
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&src).unwrap().display().to_string();
            let module = path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
            let text = fs::read_to_string(&file).unwrap();
            // Files that are tests as a whole.
            let text = if module.ends_with("::tests") || module == "policy::fixture" { String::new() } else { text };
            Source { path, module, lines: lines(&text) }
        })
        .collect()
}

/// The lines of code, numbered from 1, without comments; tests stand at the end of a file and are left out.
fn lines(text: &str) -> Vec<(usize, String)> {
    let numbered = (1..).zip(text.lines()).take_while(|(_, line)| !line.starts_with("mod tests {"));
    let code = numbered.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(number, line)| (number, line.to_owned())).collect()
}

/// The names of the libraries of Cargo.toml, as code writes them.
fn libraries() -> BTreeSet<String> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let names = ["dependencies", "dev-dependencies"].into_iter().filter_map(|key| manifest[key].as_table());
    names.flat_map(|table| table.keys()).map(|name| name.replace('-', "_")).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
