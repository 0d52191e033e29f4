//! Another program's idea of an MTA: `miltertest` (of OpenDKIM; Debian's package of that name) leads the conversations of
//! tests/miltertest with the daemon, one script a subject.
//!
//! Each script is handed the variable `socket` and fails by `error()`; miltertest then ends with a code other than 0.

#[path = "cli/harness.rs"]
#[allow(dead_code)]
mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use harness::{Place, start};

/// Who has what on which list: `friend@famille.example` is personal to Anne, Carla and Eva and wanted by Fay;
/// `enemy@spam.example` is blocked by Bob, Dora and Hugo.
const ENTRIES: &str = "user,list,value\n\
    anne@acme.example,personal,friend@famille.example\n\
    carla@acme.example,personal,friend@famille.example\n\
    eva@acme.example,personal,friend@famille.example\n\
    fay@acme.example,white,friend@famille.example\n\
    bob@acme.example,black,enemy@spam.example\n\
    dora@acme.example,black,enemy@spam.example\n\
    hugo@acme.example,black,enemy@spam.example\n";

/// What they want done.
const OPTIONS: [(&str, &str); 4] = [
    ("carla@acme.example", "personal_actions=folder"),
    ("eva@acme.example", "personal_actions=mark"),
    ("dora@acme.example", "black_action=hold"),
    ("hugo@acme.example", "black_action=junk"),
];

/// A daemon that runs as long as this value lives.
struct Daemon {
    place: Place,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let place = Place::acme();
        place.configure("[networks]\nours = []\n[black]\naction = \"reject\"\n");
        let users = "address\ncarla@acme.example\ndora@acme.example\neva@acme.example\nfay@acme.example\n\
            hugo@acme.example\n";
        let users = place.write("users.csv", users.as_bytes());
        place.run(&["user", "import", &users.display().to_string()]);
        let entries = place.write("entries.csv", ENTRIES.as_bytes());
        place.run(&["entry", "import", &entries.display().to_string()]);
        place.prove(&["Perso", "Junk"]);
        for (user, option) in OPTIONS {
            place.run(&["user", "set", user, option]).done();
        }
        let child = start(&mut place.command(&["run"]));
        Self { place, child }
    }

    /// Runs a script; what it said, where it failed.
    fn test(&self, script: &Path) -> Result<(), String> {
        let socket = format!("socket=unix:{}", self.place.dir().join("milter.sock").display());
        let mut command = Command::new("miltertest");
        command.current_dir(scripts()).args(["-D", &socket, "-s"]).arg(script);
        let output = command.output().expect("miltertest; tests/run --install installs it");
        let said = [output.stdout, output.stderr].concat();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Errors: it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/miltertest")
}

/// A test for each script.
macro_rules! scripts {
    ($($name:ident),* $(,)?) => {
        const SCRIPTS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                let script = scripts().join(concat!(stringify!($name), ".lua"));
                Daemon::start().test(&script).unwrap_or_else(|said| panic!("{said}"));
            }
        )*
    };
}

scripts!(
    abort,
    folder,
    forged,
    hold,
    macros,
    mark,
    negotiation,
    no_subject,
    null_sender,
    old_mta,
    refused_mta,
    reject_eom,
    reject_rcpt,
    several,
    spam,
    tag,
);

#[test]
fn every_script_is_run() {
    let entries = fs::read_dir(scripts()).expect("the scripts");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names.filter_map(|name| Some(name.strip_suffix(".lua")?.to_owned())).collect();
    names.retain(|name| name != "mta");
    names.sort();
    assert_eq!(names, SCRIPTS);
}

/// Each kind of check can fail, and says what it missed.
#[test]
fn a_script_whose_check_fails_is_a_failure() {
    let daemon = Daemon::start();
    let begin = "dofile('mta.lua')\nlocal conn = connect()\n";
    let tagged = "message(conn, friend, { '<anne@acme.example>' }, 'Subject', ' Dimanche')\n";
    for (script, said) in [
        ("error('as asked')".to_owned(), ""),
        ("this is no Lua".to_owned(), ""),
        (format!("{begin}rcpt(conn, '<anne@acme.example>')\neom(conn, SMFIR_TEMPFAIL)"), "the reply is 'c', not 't'"),
        (format!("{begin}mail(conn, enemy)\nrcpt(conn, '<bob@acme.example>')"), "the reply is 'y', not 'c'"),
        (format!("{begin}mail(conn, friend)\nrefused(conn, '<bob@acme.example>')"), "the reply is 'c', not 'y'"),
        (format!("{begin}{tagged}edited(conn, 'other', MT_HDRCHANGE, 'Subject', 'Dimanche')"), "missing: other"),
        (format!("{begin}{tagged}untouched(conn)"), "unwanted: a header changed"),
        // A step that the milter declined.
        (format!("{begin}mail(conn, friend)\nmt.data(conn)"), ""),
    ] {
        let file = daemon.place.write("wrong.lua", script.as_bytes());
        let failure = daemon.test(&file).expect_err(&script);
        assert!(failure.contains(said), "{script}: {failure}");
    }
}
