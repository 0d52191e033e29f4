//! What stands before every page: hosts, origins, sizes, headers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::Site;

#[test]
fn a_form_from_elsewhere_or_from_nowhere_changes_nothing() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let evil: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "https://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "null")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
    ];
    for headers in evil {
        let answer = browser.post_with("/deconnexion", &[], headers);
        assert_eq!(answer.status, 403, "{headers:?} {answer:?}");
        assert!(answer.words().contains("ne vient pas d’une page de la console"), "{answer:?}");
    }
    assert_eq!(browser.get("/").status, 200, "still signed in");
    let origin = site.origin().to_owned();
    assert_eq!(browser.post_with("/deconnexion", &[], &[("origin", &origin)]).status, 303);
}

#[test]
fn every_answer_carries_its_protection() {
    let site = Site::new();
    let mut browser = site.browser();
    for path in ["/connexion", "/aide", "/nowhere", "/static/console.css", "/"] {
        let answer = browser.get(path);
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path} {answer:?}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        let cache = if path.starts_with("/static") { "public, max-age=3600" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), cache, "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "not over plain HTTP");
    }
}

#[test]
fn another_host_is_refused() {
    let site = Site::new();
    let address = site.origin().trim_start_matches("http://").to_owned();
    let ask = |host: &str| {
        let mut stream = TcpStream::connect(&address).expect("connected");
        write!(stream, "GET /connexion HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    assert!(ask(&address).starts_with("HTTP/1.1 200"));
    for host in ["evil.example", "", "127.0.0.1", "evil.example:80"] {
        let answer = ask(host);
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
    }
}

#[test]
fn a_forged_host_does_not_reach_the_link_of_a_mail() {
    let site = Site::new();
    let mut browser = site.browser();
    let before = site.mailbox.count();
    browser.get("/connexion");
    let origin = site.origin().to_owned();
    let headers =
        [("origin", origin.as_str()), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")];
    browser.post_with("/connexion", &[("adresse", "anne@acme.example")], &headers);
    let letter = site.mailbox.letter(before);
    assert!(letter.text.contains(&format!("{origin}/connexion/lien/")) && !letter.text.contains("evil"), "{letter:?}");
}

#[test]
fn what_is_too_large_or_of_another_form_is_refused_with_words() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    // A little more than is taken: the answer comes when all of it was read, so that it is read too.
    let large = "a".repeat(3 << 20);
    let answer = browser.post("/langue", &[("langue", "en"), ("retour", &large)]);
    assert_eq!(answer.status, 413, "{}", answer.status);
    assert!(answer.words().contains("Trop volumineux"));
    let answer = browser.post("/langue", &[("x", "y")]);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.words().contains("Rien n’a changé"));
    let answer = browser.get("/nowhere");
    assert_eq!(answer.status, 404);
    assert!(answer.words().contains("Page introuvable"));
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let site = Site::new();
    let address = site.origin().trim_start_matches("http://").to_owned();
    let starts: [&[u8]; 3] = [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n"];
    let streams = starts.map(|start| {
        let mut stream = TcpStream::connect(&address).expect("connected");
        stream.write_all(start).expect("written");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        stream
    });
    for (mut stream, start) in streams.into_iter().zip(starts) {
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        assert!(end.is_ok(), "still open after {:?}: {end:?}", String::from_utf8_lossy(start));
    }
}

#[test]
fn nothing_secret_lies_in_the_database() {
    let site = Site::new();
    let mut browser = site.browser();
    let letter = site.asks_for_letter(&mut browser, "anne@acme.example");
    let token = letter.link("/connexion/lien/").rsplit('/').next().expect("a token").to_owned();
    browser.post("/connexion/code", &[("code", &letter.code())]);
    let cookie = browser.cookies["__Host-cim-session"].clone();
    let mut bytes = Vec::new();
    for file in ["perso-milter.db", "perso-milter.db-wal"] {
        bytes.extend(std::fs::read(site.dir.path().join(file)).unwrap_or_default());
    }
    for secret in [token.as_str(), &cookie, &letter.code(), &letter.code().replace(' ', "")] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[test]
fn while_the_store_is_away_it_is_said_and_nobody_is_signed_out() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let store = site.dir.path().join("perso-milter.db");
    let away = store.with_extension("away");
    std::fs::rename(&store, &away).expect("taken away");
    for answer in [
        browser.get("/"),
        browser.get("/listes/personnels"),
        browser.post("/listes/ajouter", &[("liste", "personnels"), ("adresse", "maman@famille.example")]),
        browser.post("/connexion", &[("adresse", "anne@acme.example")]),
    ] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.words().contains("La console ne peut pas lire ses données"), "{answer:?}");
    }
    assert_eq!(browser.get("/aide").status, 200, "what needs no store is there");
    std::fs::rename(&away, &store).expect("brought back");
    let page = browser.get("/").words();
    assert!(page.contains("anne@acme.example"), "the session lives: {page}");
}
