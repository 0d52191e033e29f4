use super::*;
use crate::config::parse;

const SOUND: &str = "mail_version = 3.7.11\nconfig_directory = /etc/postfix\nqueue_directory = /var/spool/postfix\n\
    recipient_delimiter = +\nmilter_default_action = tempfail\nmilter_protocol = 6\nmilter_connect_timeout = 30s\n\
    milter_command_timeout = 30s\nmilter_content_timeout = 300s\nsmtpd_recipient_limit = 1000\nsmtpd_timeout = 300s\n\
    milter_macro_daemon_name = mx.example.org\nalways_bcc =\nsender_bcc_maps =\nrecipient_bcc_maps =\n\
    receive_override_options =\nsmtpd_milters = inet:127.0.0.1:8891\nnon_smtpd_milters = inet:127.0.0.1:8891\n";

/// The findings of a sound Postfix with these parameters changed, under this configuration.
fn found(config: &str, changed: &str, services: &str, overrides: &str) -> Vec<String> {
    let config = format!("{config}\nauthentication.mode = 'off'\n");
    let parsed = parse("perso-milter.toml", &config).unwrap_or_else(|error| panic!("{error}"));
    let postconf = Postconf::parse(&format!("{SOUND}{changed}\n"), services, overrides);
    findings(&parsed, &postconf).iter().map(ToString::to_string).collect()
}

const SMTP_CHROOTED: &str = "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n";

#[test]
fn a_sound_postfix_gives_no_finding() {
    assert_eq!(found("personal.actions = ['folder']", "", SMTP_CHROOTED, ""), Vec::<String>::new());
}

#[test]
fn each_deviation_is_one_finding() {
    let cases = [
        ("", "mail_version = 3.7.10", "mail_version: Postfix 3.7.10 can change"),
        ("", "always_bcc = archive@example.org", "always_bcc: the copies"),
        ("", "smtpd_milters =", "smtpd_milters: none of our listeners is in it: mail from the network is not seen"),
        (
            "",
            "smtpd_milters = inet:127.0.0.1:11332",
            "postconf -e 'smtpd_milters = inet:127.0.0.1:11332, { inet:127.0.0.1:8891,",
        ),
        ("", "non_smtpd_milters =", "non_smtpd_milters: none of our listeners"),
        (
            "",
            "smtpd_milters = {inet:127.0.0.1:8891, default_action=accept}",
            "smtpd_milters: the default action is accept",
        ),
        ("", "smtpd_milters = {inet:127.0.0.1:8891, protocol=2}", "milter_protocol: version 2"),
        ("", "receive_override_options = no_milters", "receive_override_options: no_milters"),
        ("", "smtpd_recipient_limit = 5000", "postconf -e 'smtpd_recipient_limit = 1000'"),
        ("", "smtpd_timeout = 2h", "write idle_time = 14400"),
        ("", "recipient_delimiter = -", "write recipients.delimiter = \"-\""),
        ("personal.actions = ['folder']", "recipient_delimiter =", "main.cf: recipient_delimiter: it is \"\""),
        ("black.action = 'junk'", "recipient_delimiter =", "postconf -e 'recipient_delimiter = +'"),
        (
            "networks.submission_daemons = ['mx.example.org']",
            "",
            "perso-milter.toml:1: warning: networks.submission_daemons: mx.example.org is",
        ),
        ("networks.submission_daemons = ['ORIGINATING']", "", "add -o milter_macro_daemon_name=ORIGINATING"),
    ];
    for (config, changed, expected) in cases {
        let found = found(config, changed, SMTP_CHROOTED, "");
        assert!(found.len() == 1 && found[0].contains(expected), "{changed}: {found:#?}");
    }
}

#[test]
fn a_socket_outside_the_chroot_is_told() {
    let config = "milter.listener = [{ address = 'unix:/run/perso-milter/milter.sock' }]";
    let milters =
        "smtpd_milters = unix:/run/perso-milter/milter.sock\nnon_smtpd_milters = unix:/run/perso-milter/milter.sock";
    assert_eq!(found(config, milters, "", ""), Vec::<String>::new());
    let chrooted = found(config, milters, "smtp inet n - y - - smtpd\n", "");
    assert!(
        chrooted[0].contains("write address = \"unix:/var/spool/postfix/perso-milter/milter.sock\""),
        "{chrooted:?}"
    );
}

#[test]
fn local_mail_goes_to_the_local_listener() {
    let config =
        "milter.listener = [{ address = 'inet:8891@127.0.0.1' }, { address = 'inet:8892@127.0.0.1', role = 'local' }]";
    let found = found(config, "", "", "");
    assert!(found.len() == 1 && found[0].contains("non_smtpd_milters"), "{found:?}");
}

#[test]
fn master_cf_may_override() {
    let overrides = "submission/inet/milter_macro_daemon_name = ORIGINATING\nsmtps/inet/smtpd_milters =\n";
    let found = found("networks.submission_daemons = ['ORIGINATING']", "", "", overrides);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("/etc/postfix/master.cf: warning: smtps/inet/smtpd_milters: "), "{found:?}");
}

#[test]
fn versions_are_compared_by_their_branch() {
    for (version, expected) in [
        ("3.4.29", true),
        ("3.5.24", true),
        ("3.5.25", false),
        ("3.6.14", true),
        ("3.7.11", false),
        ("3.8.5", true),
        ("3.8.6", false),
        ("3.9.0", false),
        ("3.10-20241010", false),
        ("2.11.3", true),
        ("", false),
    ] {
        assert_eq!(counts_headers_wrong(version), expected, "{version}");
    }
}
