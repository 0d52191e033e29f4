//! The weekly digest: a mail of counts for who asked for it, the page that switches it, and the link in the mail that ends it.
//!
//! It goes out from Monday, 8 o'clock on (of this machine's time), once from one Monday to the next, and not where there was
//! no message.
//! It is written from the history, which the console opens for it: where that is not kept, or under the personal lock, there
//! is none.

use std::iter;
use std::sync::Arc;

use askama::Template;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use tracing::{info, warn};

use super::failure::Failure;
use super::mail::{Mail, MailError};
use super::page::{Notice, Page, Place, redirect_with, render};
use super::session::SignedIn;
use super::state::Console;
use super::visitor::Visitor;
use super::{language, text};
use crate::activity::{Week, week};
use crate::language::Language;
use crate::policy::address::Address;
use crate::store::{Digest, Fault, LockState, Permission, Store, StoreError, UserId};

const PATH: &str = "/reglages/resume";
/// When a week's digests go out.
const DAY: Weekday = Weekday::Monday;
const TIME: Time = Time::constant(8, 0, 0, 0);
/// Users whose digest is taken in hand at once.
const BATCH: usize = 32;
/// Bytes of the proof in a link.
const PROOF: usize = 16;

/// The time that a digest must be older than, for another to be due.
fn due_before(now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let local = now.to_zoned(zone.clone());
    let since = i64::from(local.weekday().since(DAY));
    let last = |days: i64| {
        let day = local.date().checked_sub(days.days()).ok()?;
        Some(day.to_datetime(TIME).to_zoned(zone.clone()).ok()?.timestamp())
    };
    let this_week = last(since)?;
    if this_week <= now { Some(this_week) } else { last(since + 7) }
}

/// Sends the digests that are due. They do not go through the outbox: who signs in would wait for them, and one that the mail
/// server puts off is put back, so that the next look tries again.
///
/// # Errors
/// The store's state.
pub fn send_due(console: &Console) -> Result<(), StoreError> {
    let now = (console.clock)();
    let Some(before) = due_before(now, &TimeZone::system()) else { return Ok(()) };
    let mut round = Round { console, now, sent: 0, put_off: Vec::new() };
    let done = round.run(before);
    if round.sent > 0 {
        info!(digests = round.sent, "weekly digests sent");
    }
    if !round.put_off.is_empty() {
        warn!(digests = round.put_off.len(), "weekly digests could not be sent; they are tried again");
        console.store.put_digests_back(&round.put_off, before)?;
    }
    done
}

/// One look at what is due.
struct Round<'a> {
    console: &'a Console,
    now: Timestamp,
    sent: usize,
    /// Whose digest is to be tried again.
    put_off: Vec<UserId>,
}

/// What became of one user's digest.
enum Outcome {
    /// It was sent; or there is nothing to send, now or later.
    Done,
    /// It is to be tried again.
    PutOff,
    /// Nobody's can be read or sent now.
    Away,
}

impl Round<'_> {
    /// Takes and sends until nothing is due. What is put off stays so until the end, so that nothing is tried twice.
    fn run(&mut self, before: Timestamp) -> Result<(), StoreError> {
        while self.put_off.len() < BATCH {
            let mut due = self.console.store.take_digests(before, BATCH)?.into_iter();
            if due.len() == 0 {
                break;
            }
            while let Some(user) = due.next() {
                match self.send_to(user) {
                    Outcome::Done => {}
                    Outcome::PutOff => self.put_off.push(user),
                    Outcome::Away => {
                        self.put_off.extend(iter::once(user).chain(due));
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn send_to(&mut self, user: UserId) -> Outcome {
        let mail = match letter(self.console, user, self.now) {
            Ok(Some(mail)) => mail,
            Ok(None) => return Outcome::Done,
            Err(error) => {
                warn!(%error, "a weekly digest could not be written");
                // The rows of one user say nothing of the others'.
                let is_away = error.fault() == Fault::State && !matches!(error, StoreError::Altered(_));
                return if is_away { Outcome::Away } else { Outcome::Done };
            }
        };
        let Err(error) = self.console.mailer.send(&mail, self.now) else {
            self.sent += 1;
            return Outcome::Done;
        };
        warn!(%error, "a weekly digest was not taken");
        match error {
            MailError::PutOff(_) => Outcome::PutOff,
            MailError::Server(_) => Outcome::Away,
            MailError::Address | MailError::Build | MailError::Refused(_) => Outcome::Done,
        }
    }
}

/// The digest of one user; `None` where there is nothing to say, or nobody may read it.
fn letter(console: &Console, id: UserId, now: Timestamp) -> Result<Option<Mail>, StoreError> {
    let (user, history) = match (console.store.user(id), console.store.activity(id, &Permission::Own(id))) {
        (Ok(user), Ok(history)) => (user, history),
        // They left, or set the lock, meanwhile.
        (Err(StoreError::UnknownUser(_)), _) | (_, Err(StoreError::UserLocked | StoreError::NotPermitted)) => {
            return Ok(None);
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let week = week(&history, now);
    if week.messages == 0 {
        return Ok(None);
    }
    let language = language::of_user(console, &user)?.unwrap_or(console.options.language);
    Ok(Some(written(language, &console.origin, &token(&*console.store, id), week, user.address)))
}

#[derive(Template)]
#[template(path = "mail/digest.txt", escape = "none", config = ".askama.toml")]
struct Text<'a> {
    language: Language,
    lines: &'a [String],
    history: &'a str,
    end: &'a str,
}

#[derive(Template)]
#[template(path = "mail/digest.html", config = ".askama.toml")]
struct Html<'a> {
    language: Language,
    lines: &'a [String],
    history: &'a str,
    end: &'a str,
}

fn written(language: Language, origin: &str, token: &str, week: Week, to: Address) -> Mail {
    let line = |key, count: u64| text::text(language, key, &[("count", count.into())]);
    let mut lines = vec![
        line("digest-messages", week.messages),
        line("digest-personal", week.personal),
        line("digest-blocked", week.blocked),
        line("digest-accepted", week.accepted),
    ];
    if week.is_incomplete {
        lines.push(text::t(language, "digest-incomplete"));
    }
    let (history, end) = (format!("{origin}/historique"), format!("{origin}/resume/arreter/{token}"));
    Mail {
        to,
        subject: text::t(language, "digest-subject"),
        text: Text { language, lines: &lines, history: &history, end: &end }.to_string(),
        html: Html { language, lines: &lines, history: &history, end: &end }.to_string(),
    }
}

/// What ends a user's digest without a session: it names the user, and proves that a mail of ours did.
fn token(store: &dyn Store, user: UserId) -> String {
    let mut bytes = user.get().to_be_bytes().to_vec();
    bytes.extend_from_slice(&proof(store, &bytes));
    URL_SAFE_NO_PAD.encode(bytes)
}

fn proof(store: &dyn Store, user: &[u8]) -> [u8; PROOF] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, store.keys().match_key.derive("end of a digest").as_slice());
    let tag = hmac::sign(&key, user);
    let mut proof = [0; PROOF];
    proof.copy_from_slice(&tag.as_ref()[..PROOF]);
    proof
}

/// Whose digest a link ends.
fn user_of(store: &dyn Store, token: &str) -> Option<UserId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (user, given) = bytes.split_first_chunk::<8>()?;
    verify_slices_are_equal(&proof(store, user), given).ok()?;
    UserId::new(u64::from_be_bytes(*user))
}

#[derive(Template)]
#[template(path = "digest.html", config = ".askama.toml")]
struct DigestPage<'a> {
    page: &'a Page,
    is_wanted: bool,
    /// Whether the history is kept, without which there is nothing to count.
    is_kept: bool,
    /// Under the personal lock nobody but the user reads the history.
    is_locked: bool,
}

/// `GET /reglages/resume`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    let page = Page::signed_in(&visitor, &signed_in, Place::Settings, "digest-title");
    let user = signed_in.id();
    let read = move |console: &Console| Ok((console.store.digest(user)?, console.store.lock_state(user)?));
    let (digest, lock) = console.blocking(read).await?;
    let shown = DigestPage {
        page: &page,
        is_wanted: digest == Digest::Wanted,
        is_kept: signed_in.user.options.activity,
        is_locked: lock == LockState::On,
    };
    Ok(render(&page, &shown))
}

/// The form.
#[derive(Deserialize)]
pub struct Chosen {
    resume: String,
}

/// `POST /reglages/resume`
pub async fn set(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Failure> {
    let (digest, said) = match chosen.resume.as_str() {
        "oui" if signed_in.user.options.activity => (Digest::Wanted, "digest-on"),
        "oui" => return Ok(redirect_with(PATH, Notice::new(super::page::Tone::Bad, "digest-needs-history"))),
        "non" => (Digest::Unwanted, "digest-off"),
        _ => return Err(Failure::Malformed),
    };
    let user = signed_in.id();
    console.blocking(move |console| console.store.set_digest(user, digest)).await?;
    Ok(redirect_with(PATH, Notice::good(said)))
}

#[derive(Template)]
#[template(path = "digest_end.html", config = ".askama.toml")]
struct EndPage<'a> {
    page: &'a Page,
    token: &'a str,
    is_ended: bool,
}

/// `GET /resume/arreter/{token}`: asks, since mail filters open links too.
pub async fn ask_end(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    user_of(&*console.store, &token).ok_or(Failure::NotFound)?;
    let page = Page::new(&visitor, "digest-end-title");
    Ok(render(&page, &EndPage { page: &page, token: &token, is_ended: false }))
}

/// `POST /resume/arreter/{token}`
pub async fn end(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let user = user_of(&*console.store, &token).ok_or(Failure::NotFound)?;
    console.blocking(move |console| console.store.set_digest(user, Digest::Unwanted)).await?;
    let page = Page::new(&visitor, "digest-end-title");
    Ok(render(&page, &EndPage { page: &page, token: &token, is_ended: true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_due_from_monday_morning_on() {
        let paris = TimeZone::fixed(jiff::tz::offset(1));
        for (now, expected) in [
            ("2026-11-23T07:59:59+01:00", "2026-11-16T08:00:00+01:00"),
            ("2026-11-23T08:00:00+01:00", "2026-11-23T08:00:00+01:00"),
            ("2026-11-29T23:59:59+01:00", "2026-11-23T08:00:00+01:00"),
        ] {
            let [now, expected] = [now, expected].map(|at| at.parse::<Timestamp>().expect("a time"));
            assert_eq!(due_before(now, &paris), Some(expected), "{now}");
        }
    }
}
