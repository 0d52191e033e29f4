//! What crosses a network is encrypted: pages under the console's own TLS, and mails to a mail server elsewhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use perso_milter::console::mail::{Hop, Mail, Mailer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::{Site, address, console_options};
use crate::mailbox::Mailbox;

#[test]
fn the_consoles_own_tls_serves_its_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| dir.path().join(name));
    std::fs::write(&certificate, own.cert.pem()).expect("written");
    std::fs::write(&key, own.signing_key.serialize_pem()).expect("written");
    let site = Site::with(|options| {
        options.scheme = "https";
        options.tls = Some((certificate, key));
    });

    let mut trusted = RootCertStore::empty();
    trusted.add(own.cert.der().clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(trusted).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let authority = site.origin().strip_prefix("https://").expect("own TLS").to_owned();
    let mut stream = StreamOwned::new(client, TcpStream::connect(&authority).expect("connected"));
    write!(stream, "GET /connexion HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n").expect("written");
    let mut answer = Vec::new();
    // Whether the connection was ended by the book is the library's affair.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    let cookies: Vec<_> = answer.lines().filter(|line| line.starts_with("set-cookie:")).collect();
    assert!(!cookies.is_empty(), "{answer}");
    for cookie in cookies {
        assert!(
            cookie.contains(" __host-") && cookie.contains("; secure") && cookie.contains("; httponly"),
            "{cookie}"
        );
    }

    let mut plain = TcpStream::connect(&authority).expect("connected");
    write!(plain, "GET /connexion HTTP/1.1\r\nHost: {authority}\r\n\r\n").expect("written");
    let mut refused = Vec::new();
    let _ = plain.read_to_end(&mut refused);
    assert!(!refused.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&refused));
}

#[test]
fn no_mail_goes_over_a_network_in_the_clear() {
    let mailbox = Mailbox::open();
    let mut options = console_options(&mailbox).mail;
    options.hop = Hop::Network;
    let mail = Mail {
        to: address("anne@acme.example"),
        subject: "123 456".to_owned(),
        text: "123 456".to_owned(),
        html: "123 456".to_owned(),
    };
    let now = jiff::Timestamp::now();
    let error = Mailer::new(&options).expect("TLS").send(&mail, now).expect_err("no STARTTLS here");
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    assert!(mailbox.all().is_empty());
    options.hop = Hop::Local;
    Mailer::new(&options).expect("nothing to prepare").send(&mail, now).expect("sent");
    assert_eq!(mailbox.count(), 1);
}

#[test]
fn an_address_that_the_mail_server_cannot_take_is_no_failure_of_the_server() {
    let mailbox = Mailbox::open();
    let words = || "123 456".to_owned();
    let mail = Mail { to: address("zoé@acme.example"), subject: words(), text: words(), html: words() };
    let mailer = Mailer::new(&console_options(&mailbox).mail).expect("nothing to prepare");
    let error = mailer.send(&mail, jiff::Timestamp::now()).expect_err("no SMTPUTF8 here");
    assert!(!error.is_temporary() && error.to_string().contains("SMTPUTF8"), "{error}");
    assert!(!error.to_string().contains("zoé"), "{error}");
}

#[test]
fn only_this_machine_is_reached_without_a_network() {
    for host in ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"] {
        assert_eq!(Hop::to(host), Hop::Local, "{host}");
    }
    for host in ["192.0.2.1", "2001:db8::1", "mx.example.org", "localhost.example.org", "127.0.0.1.example.org"] {
        assert_eq!(Hop::to(host), Hop::Network, "{host}");
    }
}
