//! The Postfix and the Dovecot that the tests share, and the lanes that keep the tests apart.
//!
//! A lane is an smtpd of that Postfix with a milter address of its own. Each test takes a lane, starts its own daemon
//! at that address, and uses a mail domain that no other test uses; so tests neither see one another's lists nor one
//! another's mail, however many run at once.

use std::fs;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;

use crate::dovecot::Dovecot;
use crate::postfix::{Entrance, Postfix};
use crate::scratch::{Port, Scratch, lock};

/// How many tests can run at once; others wait for their turn.
const LANES: usize = 12;

/// This machine, written so that nobody takes it for the loopback address that it is.
pub const TLS_HOST: &str = "::ffff:127.0.0.1";

pub struct Site {
    pub postfix: Postfix,
    pub dovecot: Dovecot,
    pub scratch: Scratch,
    /// What Postfix shows of itself where STARTTLS is asked for, under the name [`TLS_HOST`].
    pub certificate: PathBuf,
    /// An smtpd without any milter.
    plain: Port,
    lanes: Vec<Ports>,
    free: Mutex<Free>,
    returned: Condvar,
}

struct Ports {
    smtp: Port,
    milter: Port,
}

/// The lanes nobody uses, and how many domains have been given out.
struct Free {
    lanes: Vec<usize>,
    domains: usize,
}

impl Site {
    /// The shared one, started when first asked for. It is never dropped; the guard of its scratch directory stops it
    /// when the tests end.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Site> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let scratch = Scratch::new();
        let dovecot = Dovecot::start(&scratch);
        let plain = Port::reserve();
        let lanes: Vec<_> = (0..LANES).map(|_| Ports { smtp: Port::reserve(), milter: Port::reserve() }).collect();
        let mut entrances: Vec<_> = lanes
            .iter()
            .map(|lane| Entrance { port: &lane.smtp, milters: format!("inet:127.0.0.1:{}", lane.milter.number()) })
            .collect();
        entrances.push(Entrance { port: &plain, milters: String::new() });
        let certificate = scratch.path().join("certificate.pem");
        let own = rcgen::generate_simple_self_signed([TLS_HOST.to_owned()]).expect("a certificate");
        fs::write(&certificate, own.cert.pem()).expect("our own directory");
        let chain = scratch.path().join("chain.pem");
        fs::write(&chain, own.signing_key.serialize_pem() + &own.cert.pem()).expect("our own directory");
        let tls = format!("smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {}\n", chain.display());
        let postfix = Postfix::start(&scratch, &entrances, dovecot.lmtp(), &tls);
        let free = Mutex::new(Free { lanes: (0..LANES).collect(), domains: 0 });
        Self { postfix, dovecot, scratch, certificate, plain, lanes, free, returned: Condvar::new() }
    }

    /// The SMTP port behind which there is no milter.
    pub fn plain(&self) -> u16 {
        self.plain.number()
    }

    /// Takes a lane, as soon as one is free.
    pub fn lane(&'static self) -> Lane {
        let mut free = lock(&self.free);
        loop {
            if let Some(index) = free.lanes.pop() {
                free.domains += 1;
                return Lane { site: self, index, domain: format!("t{}.example.org", free.domains) };
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A lane in use. Dropped by a failing test it prints what the servers logged.
pub struct Lane {
    pub site: &'static Site,
    index: usize,
    /// A mail domain for this test alone.
    pub domain: String,
}

impl Lane {
    pub fn smtp(&self) -> u16 {
        self.site.lanes[self.index].smtp.number()
    }

    /// The port where Postfix expects the milter of this lane.
    pub fn milter(&self) -> u16 {
        self.site.lanes[self.index].milter.number()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}{}", self.site.postfix.tail(), self.site.dovecot.tail());
        }
        lock(&self.site.free).lanes.push(self.index);
        self.site.returned.notify_one();
    }
}
