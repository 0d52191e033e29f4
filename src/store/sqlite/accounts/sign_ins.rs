//! Sign-ins by mail. Nothing here asks whether anybody has an address before it is proven.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::policy::address::Address;
use crate::store::sqlite::change::Change;
use crate::store::sqlite::link::Db;
use crate::store::sqlite::{sql, users};
use crate::store::{
    CodeAnswer, CodeKey, ConfirmedSignIn, LinkAnswer, LinkToken, MAX_PENDING, MAX_PENDING_IN_ALL, MAX_WRONG_CODES,
    MailCode, MailedSignIn, SIGN_IN_LIFE, SecretHash, StoreError,
};

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
    change.run(sql::REMOVE_OLD_MAILED_OF, (address.as_str(), MAX_PENDING))?;
    change.run(sql::REMOVE_OLD_MAILED, [id - i64::from(MAX_PENDING_IN_ALL)])?;
    Ok(MailedSignIn { token, code, expires: users::time(expires.as_second()) })
}

pub fn prune(change: &mut Change<'_>) -> Db<u64> {
    let pruned = change.run(sql::PRUNE_MAILED, [change.at()])?;
    u64::try_from(pruned).map_err(|error| StoreError::internal(error).into())
}

/// What a link is worth, and the number of its sign-in.
pub fn link(conn: &Connection, token: &LinkToken, browser: &SecretHash, now: Timestamp) -> Db<(i64, LinkAnswer)> {
    let found: Option<(i64, String, [u8; 32])> = conn
        .prepare_cached(sql::MAILED_BY_TOKEN)?
        .query_row((token.hash(), now.as_second()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((id, address, asked)) = found else { return Ok((0, LinkAnswer::Unknown)) };
    if asked != *browser.bytes() {
        return Ok((id, LinkAnswer::OtherBrowser));
    }
    Ok((id, confirmed(conn, &address)?.map_or(LinkAnswer::Unknown, LinkAnswer::Good)))
}

/// Whoever has the address now: it may have been given to somebody else meanwhile.
fn confirmed(conn: &Connection, address: &str) -> Db<Option<ConfirmedSignIn>> {
    let Ok(address) = Address::parse(address) else { return Ok(None) };
    let user = users::find(conn, &address)?;
    Ok(Some(ConfirmedSignIn { address, user }))
}

pub fn confirm_link(change: &mut Change<'_>, token: &LinkToken, browser: &SecretHash) -> Db<LinkAnswer> {
    let (id, answer) = link(change.conn, token, browser, change.now)?;
    if matches!(answer, LinkAnswer::Good(_)) {
        change.run(sql::REMOVE_MAILED, [id])?;
    }
    Ok(answer)
}

pub fn confirm_code(change: &mut Change<'_>, browser: &SecretHash, code: &MailCode) -> Db<CodeAnswer> {
    let key = CodeKey::new(&change.shared.keys.match_key);
    let mut tries_left = 0;
    let mut good = None;
    {
        let mut statement = change.conn.prepare_cached(sql::MAILED_IN_BROWSER)?;
        let mut rows = statement.query((browser.bytes(), change.at()))?;
        while let Some(row) = rows.next()? {
            let (token, kept, wrong): ([u8; 32], Vec<u8>, u8) = (row.get(2)?, row.get(3)?, row.get(4)?);
            tries_left = tries_left.max(MAX_WRONG_CODES.saturating_sub(wrong));
            if key.is(&token, code, &kept) {
                good = good.or(Some((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
            }
        }
    }
    if let Some((id, address)) = good {
        change.run(sql::REMOVE_MAILED, [id])?;
        return Ok(confirmed(change.conn, &address)?.map_or(CodeAnswer::Unknown, CodeAnswer::Good));
    }
    change.run(sql::WRONG_CODE, [browser.bytes()])?;
    change.run(sql::REMOVE_WRONG, (browser.bytes(), MAX_WRONG_CODES))?;
    Ok(match tries_left.saturating_sub(1) {
        0 => CodeAnswer::Unknown,
        left => CodeAnswer::Wrong { left },
    })
}
