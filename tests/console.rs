//! The console over HTTP: the real server on a free loopback port, a store in a scratch directory, a clock that the tests
//! move, and a mail server that keeps what it is given. One module a subject.

#[path = "console/harness.rs"]
mod harness;
#[path = "console/mailbox.rs"]
mod mailbox;

#[path = "console/browser.rs"]
mod browser;
#[path = "console/digest.rs"]
mod digest;
#[path = "console/health.rs"]
mod health;
#[path = "console/history.rs"]
mod history;
#[path = "console/lists.rs"]
mod lists;
#[path = "console/preferences.rs"]
mod preferences;
#[path = "console/protection.rs"]
mod protection;
#[path = "console/roles.rs"]
mod roles;
#[path = "console/security.rs"]
mod security;
#[path = "console/sign_in.rs"]
mod sign_in;
#[path = "console/staff.rs"]
mod staff;
#[path = "console/tls.rs"]
mod tls;
