//! Sign-ins by mail. Nothing here asks whether anybody has an address before it is proven.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::policy::address::Address;
use crate::store::sqlite::change::Change;
use crate::store::sqlite::link::Db;
use crate::store::sqlite::{sql, users};
use crate::store::{
    CodeAnswer, CodeKey, ConfirmedSignIn, LinkAnswer, LinkToken, MAX_COUNTED, MAX_PENDING, MAX_PENDING_IN_ALL,
    MAX_WRONG_CODES, MAX_WRONG_CODES_A_DAY, MailCode, MailedSignIn, SIGN_IN_LIFE, SecretHash, StoreError,
};

/// Seconds.
const DAY: i64 = 86_400;

pub fn begin(
    change: &mut Change<'_>,
    address: &Address,
    browser: &SecretHash,
    token: LinkToken,
    code: MailCode,
) -> Db<MailedSignIn> {
    prune(change)?;
    let life = SignedDuration::try_from(SIGN_IN_LIFE).map_err(StoreError::internal)?;
    let expires = change.now.checked_add(life).map_err(StoreError::internal)?;
    let hash = token.hash();
    let kept = CodeKey::new(&change.shared.keys.match_key).of(&hash, &code);
    change.run(sql::ADD_MAILED, (address.as_str(), browser.bytes(), hash, kept, expires.as_second()))?;
    let id = change.conn.last_insert_rowid();
    change.run(sql::REMOVE_OLD_MAILED_OF, (address.as_str(), browser.bytes(), MAX_PENDING))?;
    change.run(sql::REMOVE_OLD_MAILED, [id - i64::from(MAX_PENDING_IN_ALL)])?;
    Ok(MailedSignIn { token, code, expires: users::time(expires.as_second()) })
}

pub fn prune(change: &mut Change<'_>) -> Db<u64> {
    let pruned = change.run(sql::PRUNE_MAILED, [change.at()])?;
    change.run(sql::PRUNE_WRONG_CODES, (change.at() / DAY, MAX_COUNTED))?;
    u64::try_from(pruned).map_err(|error| StoreError::internal(error).into())
}

/// What a link is worth.
pub fn link(conn: &Connection, token: &LinkToken, browser: &SecretHash, now: Timestamp) -> Db<LinkAnswer> {
    let found: Option<(String, [u8; 32])> = conn
        .prepare_cached(sql::MAILED_BY_TOKEN)?
        .query_row((token.hash(), now.as_second()), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((address, asked)) = found else { return Ok(LinkAnswer::Unknown) };
    if asked != *browser.bytes() {
        return Ok(LinkAnswer::OtherBrowser);
    }
    Ok(confirmed(conn, &address)?.map_or(LinkAnswer::Unknown, LinkAnswer::Good))
}

/// Whoever has the address now: it may have been given to somebody else meanwhile.
fn confirmed(conn: &Connection, address: &str) -> Db<Option<ConfirmedSignIn>> {
    let Ok(address) = Address::parse(address) else { return Ok(None) };
    let user = users::find(conn, &address)?;
    Ok(Some(ConfirmedSignIn { address, user }))
}

pub fn confirm_link(change: &mut Change<'_>, token: &LinkToken, browser: &SecretHash) -> Db<LinkAnswer> {
    let answer = link(change.conn, token, browser, change.now)?;
    if matches!(answer, LinkAnswer::Good(_)) {
        change.run(sql::REMOVE_MAILED_IN, [browser.bytes()])?;
    }
    Ok(answer)
}

pub fn confirm_code(change: &mut Change<'_>, browser: &SecretHash, code: &MailCode) -> Db<CodeAnswer> {
    let Some(newest) = Waiting::newest_in(change.conn, browser, change.at())? else { return Ok(CodeAnswer::Unknown) };
    let day = change.at() / DAY;
    let wrong_today: Option<u32> = change
        .conn
        .prepare_cached(sql::WRONG_CODES_OF)?
        .query_row((&newest.address, day), |row| row.get(0))
        .optional()?;
    let left_today = MAX_WRONG_CODES_A_DAY.saturating_sub(wrong_today.unwrap_or(0));
    let until = users::time((day + 1) * DAY);
    if left_today == 0 {
        return Ok(CodeAnswer::LinkAlone { until });
    }
    if CodeKey::new(&change.shared.keys.match_key).is(&newest.token, code, &newest.code) {
        change.run(sql::REMOVE_MAILED_IN, [browser.bytes()])?;
        return Ok(confirmed(change.conn, &newest.address)?.map_or(CodeAnswer::Unknown, CodeAnswer::Good));
    }
    change.run(sql::WRONG_CODE, [newest.id])?;
    change.run(sql::COUNT_WRONG_CODE, (&newest.address, day))?;
    let left = MAX_WRONG_CODES.saturating_sub(newest.wrong.saturating_add(1));
    if left_today == 1 {
        return Ok(CodeAnswer::LinkAlone { until });
    }
    if left == 0 {
        // The older ones too: they would be further tries.
        change.run(sql::REMOVE_MAILED_IN, [browser.bytes()])?;
        return Ok(CodeAnswer::Unknown);
    }
    Ok(CodeAnswer::Wrong { left })
}

/// A sign-in that waits for its code.
struct Waiting {
    id: i64,
    address: String,
    token: [u8; 32],
    code: Vec<u8>,
    wrong: u8,
}

impl Waiting {
    fn newest_in(conn: &Connection, browser: &SecretHash, now: i64) -> Db<Option<Self>> {
        let read = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                address: row.get(1)?,
                token: row.get(2)?,
                code: row.get(3)?,
                wrong: row.get(4)?,
            })
        };
        Ok(conn.prepare_cached(sql::NEWEST_IN_BROWSER)?.query_row((browser.bytes(), now), read).optional()?)
    }
}
