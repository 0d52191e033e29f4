use super::*;
use crate::cli::postfix_config::Directories;
use crate::cli::postfix_config::split::{Service, filter, received_line, services};
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
    findings(&parsed, &postconf, None).iter().map(ToString::to_string).collect()
}

const SMTP_CHROOTED: &str = "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n";

#[test]
fn a_sound_postfix_gives_no_finding() {
    assert_eq!(found("personal.actions = ['folder']", "", SMTP_CHROOTED, ""), Vec::<String>::new());
}

#[test]
fn a_verifier_that_is_believed_stands_before_us() {
    let with = |milters: &str| {
        let parsed = parse("f", "authentication.authserv_ids = ['mx.example.org']").expect("sound");
        let postconf = Postconf::parse(&format!("{SOUND}{milters}\n"), SMTP_CHROOTED, "");
        findings(&parsed, &postconf, None).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(with("smtpd_milters = inet:127.0.0.1:8893, inet:127.0.0.1:8891"), Vec::<String>::new());
    let found = with("");
    assert!(found.len() == 1 && found[0].contains("whoever writes mx.example.org into"), "{found:#?}");
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
fn a_login_may_not_write_any_sender() {
    const SUBMISSION: &str = "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n";
    let with = |changed: &str, overrides: &str| found("personal.outbound = 'tag'", changed, SUBMISSION, overrides);
    let sasl = "submission/inet/smtpd_sasl_auth_enable = yes\n";
    assert_eq!(with("", ""), Vec::<String>::new());
    let open = with("", sasl);
    assert!(open.len() == 1 && open[0].contains("smtpd_sender_restrictions: submission/inet lets"), "{open:#?}");
    assert_eq!(found("", "", SUBMISSION, sasl), Vec::<String>::new(), "nothing is marked");
    for (changed, overrides) in [
        ("smtpd_sender_restrictions = reject_sender_login_mismatch, permit", ""),
        ("", "submission/inet/smtpd_recipient_restrictions = reject_authenticated_sender_login_mismatch,permit"),
        (
            "mua_sender_restrictions = reject_sender_login_mismatch",
            "submission/inet/smtpd_sender_restrictions = ${mua_sender_restrictions}",
        ),
    ] {
        assert_eq!(with(changed, &format!("{sasl}{overrides}")), Vec::<String>::new(), "{changed}{overrides}");
    }
    let elsewhere = "smtp/inet/smtpd_sender_restrictions = reject_sender_login_mismatch";
    assert_eq!(with("", &format!("{sasl}{elsewhere}")).len(), 1);
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

/// A Postfix set up with the lines of `postfix-config`, as text: parameters, services, overrides.
struct SplitPostfix {
    parameters: String,
    overrides: Vec<String>,
    answers: std::collections::BTreeMap<String, String>,
}

const SPLIT: &str = "split.address = '127.0.0.1:10026'
    [[milter.listener]]
    address = 'inet:8891@127.0.0.1'
    [[milter.listener]]
    address = 'inet:8892@127.0.0.1'
    role = 'split'
    [authentication]
    mode = 'off'
";

impl SplitPostfix {
    fn sound() -> Self {
        let config = parse("f", SPLIT).unwrap_or_else(|error| panic!("{error}")).config;
        let (key, directories) = (key(), Directories::default());
        let services = services(&config, &key, &directories);
        let settings = |service: &Service| -> Vec<String> {
            service.settings.iter().map(|set| format!("{}/{} = {}", service.path(), set.name, set.value)).collect()
        };
        let marker = "regexp:/etc/postfix/perso-milter-split -q X-Perso-Split: 0;in;;".to_owned();
        let received = format!("regexp:/etc/postfix/perso-milter-received -q {}", received_line(&key));
        Self {
            parameters: format!(
                "{SOUND}milter_header_checks = regexp:/etc/postfix/perso-milter-split\n\
                 perso-split_destination_recipient_limit = 1\nlmtp_destination_recipient_limit = 1\n\
                 smtpd_recipient_limit = 100\nmessage_size_limit = 10240000\nhopcount_limit = 50\n\
                 virtual_mailbox_domains = example.org\nvirtual_transport = lmtp:unix:private/dovecot\n"
            ),
            overrides: services.iter().flat_map(settings).collect(),
            answers: [(marker, filter(&config)), (received, "IGNORE".to_owned())].into(),
        }
    }

    fn set(mut self, parameter: &str) -> Self {
        self.parameters.push_str(&format!("{parameter}\n"));
        self
    }

    fn found(&self, config: &str) -> Vec<String> {
        let parsed = parse("perso-milter.toml", config).unwrap_or_else(|error| panic!("{error}"));
        let services = format!(
            "{SMTP_CHROOTED}perso-split unix - - y - 20 smtp\n127.0.0.1:10026 inet n - y - - smtpd\n\
             cleanup-split unix n - y - 0 cleanup\n"
        );
        let mut postconf = Postconf::parse(&self.parameters, &services, &self.overrides.join("\n"));
        postconf.answers = Some(self.answers.clone());
        findings(&parsed, &postconf, Some(&key())).iter().map(ToString::to_string).collect()
    }
}

fn key() -> SplitKey {
    SplitKey::new(&[7; 32])
}

#[test]
fn the_lines_of_postfix_config_give_no_finding() {
    assert_eq!(SplitPostfix::sound().found(SPLIT), Vec::<String>::new());
}

/// What main.cf would hand down where a service does not state its own.
const INHERITED: &[(&str, &str)] = &[
    ("smtp_tls_security_level", "encrypt"),
    ("smtp_fallback_relay", "relay.example.org"),
    ("smtp_header_checks", "regexp:/etc/postfix/outgoing"),
    ("smtpd_milters", "inet:127.0.0.1:8891"),
    ("smtpd_milter_maps", "cidr:/etc/postfix/milters"),
    ("smtpd_tls_security_level", "may"),
    ("message_size_limit", "10240000"),
    ("local_header_rewrite_clients", "permit_inet_interfaces"),
    ("receive_override_options", ""),
    ("always_bcc", "archive@example.org"),
    ("header_checks", "regexp:/etc/postfix/header_checks"),
    ("hopcount_limit", "50"),
    ("mynetworks", "192.0.2.0/24"),
];

#[test]
fn each_line_left_out_is_found_with_what_it_costs() {
    for (name, inherited) in INHERITED {
        let mut postfix = SplitPostfix::sound().set(&format!("{name} = {inherited}"));
        let before = postfix.found(SPLIT);
        let own = |set: &String| set.split(" = ").next().is_some_and(|path| path.ends_with(&format!("/{name}")));
        let line = postfix.overrides.iter().position(own).unwrap_or_else(|| panic!("{name} is printed"));
        postfix.overrides.remove(line);
        let mut after = postfix.found(SPLIT);
        after.retain(|finding| !before.contains(finding));
        let found = after.len() == 1
            && after[0].contains(&format!("/{name}: it is"))
            && after[0].contains("inherited from main.cf");
        assert!(found && after[0].contains("master.cf"), "{name}: {after:#?}");
    }
}

#[test]
fn what_main_cf_lacks_is_found() {
    for (setting, expected) in [
        (
            "perso-split_destination_recipient_limit = 50",
            "main.cf: perso-split_destination_recipient_limit: a copy would",
        ),
        ("lmtp_destination_recipient_limit = 50", "warning: lmtp_destination_recipient_limit: what is delivered"),
        ("milter_header_checks =", "milter_header_checks: the marker leads nowhere"),
        ("milter_header_checks = regexp:/etc/postfix/others", "milter_header_checks: the marker leads nowhere"),
        ("smtpd_recipient_limit = 1000", "the largest to 1000 takes 10240 MB"),
        ("receive_override_options = no_address_mappings", "never expanded"),
        ("sender_canonical_maps = tcp:127.0.0.1:10001", "sender_canonical_maps: a sender that it rewrites"),
        ("transport_maps = hash:/etc/postfix/transport", "transport_maps: what transport_maps sends by smtp"),
        ("virtual_transport = virtual", "enable_original_recipient: X-Original-To"),
    ] {
        let found = SplitPostfix::sound().set(setting).found(SPLIT);
        assert!(found.len() == 1 && found[0].contains(expected), "{setting}: {found:#?}");
    }
}

#[test]
fn the_second_smtpd_is_of_a_family_that_postfix_uses() {
    let six = SPLIT.replace("127.0.0.1:10026", "[::1]:10026");
    let family = |config: &str, protocols: &str| -> Vec<String> {
        let found = SplitPostfix::sound().set(&format!("inet_protocols = {protocols}")).found(config);
        found.into_iter().filter(|finding| finding.contains("main.cf: inet_protocols: ")).collect()
    };
    for (config, protocols) in [(SPLIT, "all"), (SPLIT, "ipv4"), (SPLIT, "ipv6, ipv4"), (&six, "all"), (&six, "ipv6")] {
        assert_eq!(family(config, protocols), Vec::<String>::new(), "{protocols}");
    }
    let found = family(SPLIT, "ipv6");
    let remedy = "postconf -e 'inet_protocols = ipv6, ipv4', or write split.address = \"[::1]:10026\"";
    assert!(found.len() == 1 && found[0].ends_with(remedy), "{found:#?}");
    let found = family(&six, "ipv4");
    assert!(found.len() == 1 && found[0].contains("split.address is [::1]:10026: copies stay"), "{found:#?}");
}

#[test]
fn a_filter_of_port_25_is_not_gone_round() {
    let mut postfix = SplitPostfix::sound();
    postfix.overrides.push("smtp/inet/content_filter = scan:[127.0.0.1]:10024".to_owned());
    let found = postfix.found(SPLIT);
    assert!(found.len() == 1 && found[0].contains("127.0.0.1:10026/inet/content_filter"), "{found:#?}");
    postfix.overrides.push("127.0.0.1:10026/inet/content_filter = scan:[127.0.0.1]:10024".to_owned());
    assert_eq!(postfix.found(SPLIT), Vec::<String>::new());
    assert_eq!(SplitPostfix::sound().set("content_filter = scan:[127.0.0.1]:10024").found(SPLIT), Vec::<String>::new());
}

/// A value that is more than what is printed, or another's, and what is as good.
#[test]
fn what_a_service_states_for_itself_is_compared_by_what_it_does() {
    let with = |name: &str, value: &str| {
        let mut postfix = SplitPostfix::sound();
        let own = |set: &String| set.contains(&format!("/{name} = "));
        let line = postfix.overrides.iter().position(own).unwrap_or_else(|| panic!("{name} is printed"));
        let path = postfix.overrides[line].split(" = ").next().map(str::to_owned).expect("a path");
        postfix.overrides[line] = format!("{path} = {value}");
        postfix.found(SPLIT)
    };
    for (name, value, sound) in [
        ("receive_override_options", "no_address_mappings, no_unknown_recipient_checks", true),
        ("receive_override_options", "no_unknown_recipient_checks,no_address_mappings,no_milters", false),
        ("smtpd_milters", "{ inet:127.0.0.1:8892, default_action=tempfail }, inet:127.0.0.1:8895", true),
        ("smtpd_milters", "{ inet:127.0.0.1:8892, default_action=quarantine }", false),
        ("smtpd_milters", "{ inet:127.0.0.1:8892, default_action=accept }", false),
        ("mynetworks", "[::1]/128", false),
        ("mynetworks", "127.0.0.0/8", true),
        ("smtp_bind_address", "", false),
    ] {
        let found = with(name, value);
        assert_eq!(found.is_empty(), sound, "{name} = {value}: {found:#?}");
    }
}

#[test]
fn what_only_the_key_tells_is_all_that_is_left_out_without_it() {
    let postfix = SplitPostfix::sound();
    let parsed = parse("perso-milter.toml", SPLIT).expect("sound");
    let without_services = Postconf::parse(&postfix.parameters, SMTP_CHROOTED, "");
    let found: Vec<String> = findings(&parsed, &without_services, None).iter().map(ToString::to_string).collect();
    for expected in ["split.mode: the store is not there", "perso-split/unix: there is no such smtp"] {
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:#?}");
    }
}

#[test]
fn mixed_is_refused_where_the_edge_would_edit_for_others() {
    let mixed = format!("split.mode = 'mixed'\n{SPLIT}");
    assert_eq!(SplitPostfix::sound().found(&mixed), Vec::<String>::new());
    for (setting, expected) in [
        ("always_bcc = archive@example.org", "always_bcc: with split.mode = \"mixed\""),
        ("recipient_bcc_maps = hash:/etc/postfix/bcc", "recipient_bcc_maps: with split.mode"),
        ("virtual_alias_maps = hash:/etc/postfix/virtual", "leads boss@example.org to several people"),
        ("smtpd_milters = inet:127.0.0.1:8891, inet:127.0.0.1:9999", "smtpd_milters: a milter stands after ours"),
    ] {
        let mut postfix = SplitPostfix::sound().set(setting);
        postfix.answers.insert(
            "hash:/etc/postfix/virtual -s".to_owned(),
            "a@example.org\tb@example.org\nboss@example.org\tboss@example.org, zoe@example.org".to_owned(),
        );
        let found = postfix.found(&mixed);
        assert!(found.len() == 1 && found[0].contains(expected), "{setting}: {found:#?}");
    }
}
