use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::parse;

/// A Sendmail as `postfix-config --sendmail` says, by line.
const SOUND: [&str; 7] = [
    "O DaemonPortOptions=Name=MTA",
    "O InputMailFilters=perso",
    "O MaxRecipientsPerMessage=1000",
    "Xperso, S=inet:8891@127.0.0.1, F=T, T=C:10s;S:30s;R:30s;E:60s",
    "Mlocal, P=[IPC], F=lsDFMA5:/|@qPSXmnzu9, A=FILE /run/dovecot/lmtp",
    "R$+ + $* < @ $* >\t$: $1",
    "Mrelay, P=[IPC], F=mDFMuXa8, A=TCP $h",
];

/// The findings beside a sound Sendmail with one line replaced (0: one added), but for the note of what none can do.
fn found(config: &str, line: usize, changed: &str) -> Vec<String> {
    let mut lines = SOUND.to_vec();
    match line {
        0 => lines.push(changed),
        _ => lines[line - 1] = changed,
    }
    let mode = if config.contains("authentication.mode") { "" } else { "authentication.mode = 'off'" };
    let config = format!("{config}\n{mode}\n");
    let parsed = parse("perso-milter.toml", &config).unwrap_or_else(|error| panic!("{error}"));
    let found = findings(&parsed, &Cf::parse("sendmail.cf", &lines.join("\n")));
    let (notes, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|problem| problem.severity == Severity::Note);
    assert_eq!(notes.len(), 1, "{notes:?}");
    found.iter().map(ToString::to_string).collect()
}

const FOLDERS: &str = "personal.actions = ['folder']";
const VERIFIED: &str = "authentication.authserv_ids = ['mx.example.org']\nauthentication.mode = 'required'";

#[test]
fn a_sound_sendmail_gives_no_finding() {
    for config in ["", FOLDERS, "networks.submission_daemons = ['MTA']"] {
        assert_eq!(found(config, 0, ""), Vec::<String>::new(), "{config}");
    }
}

#[test]
fn each_deviation_is_one_finding() {
    let cases = [
        (
            "",
            1,
            "O DaemonPortOptions=N=MTA, I=opendkim",
            "sendmail.cf:1: warning: DaemonPortOptions: the daemon MTA has milters",
        ),
        (
            "",
            0,
            "O DaemonPortOptions=Name=MSA, I=",
            "sendmail.cf:8: warning: DaemonPortOptions: the daemon MSA has milters",
        ),
        (
            "networks.submission_daemons = ['MSA']",
            0,
            "",
            "perso-milter.toml:1: warning: networks.submission_daemons: no DaemonP",
        ),
        (
            "",
            2,
            "",
            "sendmail.cf:4: warning: Xperso: it is defined and not called: no mail is seen; write INPUT_MAIL_FILTER",
        ),
        (
            VERIFIED,
            0,
            "",
            "sendmail.cf: warning: InputMailFilters: no milter stands before ours: whoever writes mx.example.org",
        ),
        (
            FOLDERS,
            2,
            "O InputMailFilters=perso, clamav",
            "sendmail.cf: warning: InputMailFilters: a milter stands after ours",
        ),
        (
            "",
            3,
            "",
            "MaxRecipientsPerMessage: Sendmail takes any number of recipients a message, milter.limits.recipients is 1000",
        ),
        ("", 3, "O MaxRecipientsPerMessage=0", "write define(`confMAX_RCPTS_PER_MESSAGE', `1000')dnl"),
        (
            "",
            3,
            "O MaxRecipientsPerMessage=5000",
            "sendmail.cf:3: warning: MaxRecipientsPerMessage: Sendmail takes 5000",
        ),
        (
            "",
            4,
            "Xperso, S=inet:8892@127.0.0.1, F=T",
            "write INPUT_MAIL_FILTER(`perso', `S=inet:8891@127.0.0.1, F=T, T=C:10s;",
        ),
        (
            "",
            4,
            "Xperso, S=inet:8891@[127.0.0.1], F=T",
            "sendmail.cf:4: Xperso: Sendmail 8.17 makes an invalid address",
        ),
        ("", 4, "Xperso, S=inet:8891@127.0.0.1", "sendmail.cf:4: warning: Xperso: without F=T mail passes unfiltered"),
        ("", 4, "Xperso, S=inet:8891@127.0.0.1, F=R", "Xperso: with F=R mail is refused for good"),
        (
            "",
            4,
            "Xperso, S=inet:8891@127.0.0.1, F=T, T=R:2s",
            "Xperso: one answer may take 2 s: a busy moment loses the milter",
        ),
        (
            FOLDERS,
            5,
            "Mlocal, F=l5z9, A=FILE /run/dovecot/lmtp",
            "Mlocal: it writes recipients in small letters: mail for Perso",
        ),
        (FOLDERS, 6, "R$+ + $*\t$#local $@ + $2 $: $1 + *", "Mlocal: local recipients lose what follows the +"),
        (
            "recipients.delimiter = '-'\nblack.action = 'junk'",
            0,
            "",
            "perso-milter.toml:1: recipients.delimiter: Sendmail knows no",
        ),
        ("", 0, "O Timeout.command=3h", "sendmail.cf:8: warning: Timeout.command: an SMTP client may idle 10800 s"),
    ];
    for (config, line, changed, expected) in cases {
        let found = found(config, line, changed);
        assert!(found.len() == 1 && found[0].contains(expected), "{changed}: {found:#?}");
    }
}

#[test]
fn a_failure_that_is_temporary_in_any_way_is_sound() {
    assert_eq!(found("", 4, "Xperso, S=inet:8891@localhost, F=4"), Vec::<String>::new());
}

/// The mailer that is told a folder apart from the recipient needs neither line of the two.
#[test]
fn a_mailer_that_is_given_the_detail_apart_is_sound() {
    let cf = "Mlocal, F=lsDFMAw5:/|@qSPfhn9, A=procmail -a $h -d $u\nR$+ + $*\t$#local $@ + $2 $: $1 + *\n";
    let config = "authentication.mode = 'off'\nblack.action = 'junk'\nblack.junk_folder = 'junk'";
    let parsed = parse("f", config).unwrap_or_else(|error| panic!("{error}"));
    let found = findings(&parsed, &Cf::parse("sendmail.cf", cf));
    assert!(found.iter().all(|problem| problem.key != "Mlocal"), "{found:?}");
}

#[test]
fn a_split_is_an_error_and_what_sendmail_cannot_do_is_noted_anyway() {
    let split = "[split]\nmode = 'edits'\n[[milter.listener]]\naddress = 'inet:8891@127.0.0.1'\n\
        [[milter.listener]]\naddress = 'inet:8892@127.0.0.1'\nrole = 'split'\n[authentication]\nmode = 'off'\n";
    let cf = Cf::parse("sendmail.cf", &SOUND.join("\n"));
    for (config, errors) in [(split, 1), ("[authentication]\nmode = 'off'\n", 0)] {
        let parsed = parse("f", config).unwrap_or_else(|error| panic!("{error}"));
        let found: Vec<_> = findings(&parsed, &cf).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), errors + 1, "{found:#?}");
        assert!(
            found.iter().all(|line| line.contains("Sendmail cannot make one copy for each recipient")),
            "{found:#?}"
        );
        assert!(errors == 0 || found[0].starts_with("f:2: split.mode: "), "{found:#?}");
    }
}

#[test]
fn a_socket_below_a_directory_of_others_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("milter.sock");
    let config = format!("milter.listener = [{{ address = 'unix:{}' }}]", path.display());
    let found_at = |mode, more: &str| {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("our own folder");
        let filter = format!("Xperso, S=local:{}, F=T\n{more}", path.display());
        let mine = format!("Sendmail takes no socket below {},", folder.path().display());
        found(&config, 4, &filter).iter().filter(|line| line.contains(&mine)).count()
    };
    assert_eq!(found_at(0o750, ""), 0);
    assert_eq!(found_at(0o770, ""), 1);
    assert_eq!(found_at(0o770, "O DontBlameSendmail=GroupWritableDirPathSafe"), 0);
    assert_eq!(found_at(0o752, "O DontBlameSendmail=GroupWritableDirPathSafe"), 1);
}

#[test]
fn a_socket_is_written_in_many_ways() {
    for (socket, listener, expected) in [
        ("inet:8891@127.0.0.1", "inet:8891@127.0.0.1", true),
        ("inet:8891@[127.0.0.1]", "inet:8891@127.0.0.1", true),
        ("inet:8891@127.0.0.2", "inet:8891", true),
        ("inet6:8891@::1", "inet6:8891@::1", true),
        ("inet:8892@127.0.0.1", "inet:8891@127.0.0.1", false),
        ("inet:8891", "inet:8891@127.0.0.1", false),
        ("local:/run/s", "unix:/run/s", true),
        ("unix:/run/s", "unix:/run/s", true),
        ("/run/s", "unix:/run/s", true),
        ("/run/other", "unix:/run/s", false),
        ("", "unix:/run/s", false),
        ("/run/s", "inet:8891@127.0.0.1", false),
    ] {
        assert_eq!(reaches(socket, &listener.parse().expect("an address")), expected, "{socket} {listener}");
    }
}
