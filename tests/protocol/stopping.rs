//! Shutdown: messages under way finish, the rest closes, the socket's file goes.

use std::time::Duration;

use perso_milter::milter::client::{Client, ClientOptions};
use perso_milter::milter::listen::ListenAddress;
use perso_milter::milter::reply::Reply;
use perso_milter::milter::server::{Closed, Limits, Report};

use super::harness::*;

fn refuses(address: &ListenAddress) -> bool {
    Client::connect(address, &ClientOptions::default()).is_err()
}

#[test]
fn a_message_under_way_finishes() {
    for kind in KINDS {
        let server = start(kind, chatty(), limits());
        let mut idle = server.raw();
        idle.write(&offer());
        idle.read_exactly(17);
        let mut busy = server.client();
        busy.mail(b"<>", &[]).unwrap();

        server.shutdown.trigger();
        assert_eq!(idle.read_to_end(), b"", "nothing under way, so it closes at once");
        eventually("no new connections", || refuses(&server.address));

        busy.recipient(b"<b@example.org>", &[]).unwrap();
        let (modifications, verdict) = busy.end_of_message().unwrap();
        assert_eq!((modifications.len(), verdict), (1, Reply::Continue));
        let report = server.stop();
        assert_eq!(report, Report { finished: 1, cut: 0 }, "{kind:?}");
    }
}

#[test]
fn a_message_that_takes_too_long_is_cut() {
    let server = start(Kind::Unix, chatty(), Limits { drain_time: Duration::from_millis(10), ..limits() });
    let mut busy = server.client();
    busy.mail(b"<>", &[]).unwrap();
    let log = server.log.clone();
    let report = server.stop();
    assert_eq!(report, Report { finished: 0, cut: 1 });
    assert_eq!(log.lock().unwrap().closed, [(1, Closed::Cut)]);
}

#[test]
fn the_socket_s_file_goes_with_the_server() {
    let server = start(Kind::Unix, fast(), limits());
    let ListenAddress::Unix { path } = server.address.clone() else {
        panic!("a unix socket");
    };
    assert!(path.exists());
    server.client().quit().unwrap();
    assert_eq!(server.stop(), Report::default());
    assert!(!path.exists());
}

#[test]
fn stopping_before_anyone_came() {
    for kind in KINDS {
        assert_eq!(start(kind, fast(), limits()).stop(), Report::default());
    }
}
