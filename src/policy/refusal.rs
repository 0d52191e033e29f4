//! Entries that are refused when they are entered, each with its reason and what to do instead.
//!
//! A catch-all claim ("everything is personal") does not hold in law, and a colleague's or customer's mail is not
//! personal by a private decision. What an organisation protects cannot be blocked either.

use super::address::{Address, Domain, is_within};
use super::identity::Sender;
use super::list::{EntryValue, Globs, ListKind};

/// Domains where anybody may open a mailbox: an entry for the whole domain says nothing about who writes.
const FREEMAIL: [&str; 58] = [
    "aliceadsl.fr",
    "aol.com",
    "aol.fr",
    "bbox.fr",
    "bluewin.ch",
    "btinternet.com",
    "club-internet.fr",
    "fastmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.fr",
    "gmx.net",
    "googlemail.com",
    "hotmail.be",
    "hotmail.com",
    "hotmail.fr",
    "hushmail.com",
    "icloud.com",
    "infonie.fr",
    "laposte.net",
    "libero.it",
    "live.be",
    "live.com",
    "live.fr",
    "mac.com",
    "mail.com",
    "mail.ru",
    "mailo.com",
    "me.com",
    "msn.com",
    "neuf.fr",
    "noos.fr",
    "numericable.fr",
    "orange.fr",
    "outlook.com",
    "outlook.fr",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "seznam.cz",
    "sfr.fr",
    "skynet.be",
    "t-online.de",
    "telenet.be",
    "tutanota.com",
    "voila.fr",
    "wanadoo.fr",
    "web.de",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.fr",
    "zoho.com",
];

/// What an organisation says about its users' entries.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryRules<'a> {
    /// Its own domains.
    pub own_domains: &'a [Domain],
    /// Domains of its business: never personal.
    pub protected_domains: &'a [Domain],
    /// Senders no user may block, beside those of its own domains.
    pub protected_senders: &'a [Address],
    /// Whether glob patterns are allowed.
    pub globs: bool,
}

/// Why an entry is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `*`, or a pattern that names no domain.
    #[error("an entry must not cover everybody; give an address (a@d) or a domain")]
    Everybody,
    /// A public suffix such as `com` or `co.uk`.
    #[error("this is a public suffix, below which strangers have their domains; give an address or a whole domain")]
    PublicSuffix,
    /// A sender of the organisation, as personal.
    #[error("mail from the organisation's own domains is professional and cannot be declared personal")]
    OwnDomain,
    /// A sender of a business domain, as personal.
    #[error("the organisation declared this domain professional; it cannot be declared personal")]
    ProtectedDomain,
    /// A whole freemail domain, as personal or white.
    #[error("anybody may have an address at this domain; give the address of the person (a@d)")]
    Freemail,
    /// A sender of the organisation, as black.
    #[error("the organisation's own senders cannot be blocked")]
    ProtectedSender,
    /// A pattern where the organisation allows none.
    #[error(
        "patterns are switched off in this organisation; give an address (a@d), a domain (d) or its subdomains (*.d)"
    )]
    GlobsOff,
}

/// Whether a user may put this on one of their lists.
///
/// # Errors
/// The [`Refusal`], whose text says what to do instead.
pub fn check(list: ListKind, value: &EntryValue, rules: &EntryRules<'_>) -> Result<(), Refusal> {
    let (domain, whole_domain) = match value {
        EntryValue::Address(address) => (address.domain(), false),
        EntryValue::Domain(domain) | EntryValue::Subdomains(domain) => (domain.as_str(), true),
        EntryValue::Glob(pattern) => (glob_domain(pattern)?, true),
    };
    if whole_domain && psl::suffix_str(domain) == Some(domain) {
        return Err(Refusal::PublicSuffix);
    }
    if matches!(value, EntryValue::Glob(_)) && !rules.globs {
        return Err(Refusal::GlobsOff);
    }
    // An entry with subdomains also covers what stands below it.
    let covers =
        |other: &str| is_within(domain, other) || (whole_domain && reaches_below(value) && is_within(other, domain));
    let any = |domains: &[Domain]| domains.iter().any(|own| covers(own.as_str()));
    match list {
        ListKind::Personal if any(rules.own_domains) => Err(Refusal::OwnDomain),
        ListKind::Personal if any(rules.protected_domains) => Err(Refusal::ProtectedDomain),
        ListKind::Personal | ListKind::White if whole_domain && is_freemail(domain) => Err(Refusal::Freemail),
        ListKind::Black if any(rules.own_domains) || covers_protected_sender(value, rules) => {
            Err(Refusal::ProtectedSender)
        }
        _ => Ok(()),
    }
}

/// Whether the entry would match mail from such a sender, by whatever scope.
fn covers_protected_sender(value: &EntryValue, rules: &EntryRules<'_>) -> bool {
    let covers = |sender: &Address| match value {
        // A pattern that cannot be compiled matches nobody.
        EntryValue::Glob(pattern) => Globs::build([(ListKind::Black, &**pattern)])
            .is_ok_and(|globs| globs.matches(ListKind::Black, sender.as_str())),
        _ => Sender::header(sender.clone())
            .candidates()
            .any(|candidate| candidate.scope == value.scope() && candidate.text == value.text()),
    };
    rules.protected_senders.iter().any(covers)
}

fn reaches_below(value: &EntryValue) -> bool {
    matches!(value, EntryValue::Subdomains(_) | EntryValue::Glob(_))
}

fn is_freemail(domain: &str) -> bool {
    FREEMAIL.binary_search(&domain).is_ok()
}

/// The part of a pattern's domain that is fixed: `a*@*.d.example` gives `d.example`.
fn glob_domain(pattern: &str) -> Result<&str, Refusal> {
    let domain = pattern.rsplit_once('@').map_or(pattern, |(_, domain)| domain);
    let fixed = match domain.rfind(['*', '?']) {
        // Only whole labels are fixed: `*shop.example` may be anybody's domain below `example`.
        Some(at) => domain[at + 1..].split_once('.').map_or("", |(_, rest)| rest),
        None => domain,
    };
    if fixed.is_empty() { Err(Refusal::Everybody) } else { Ok(fixed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_declared_is_refused_with_its_reason() {
        use ListKind::{Black, Personal, White};
        let own = [Domain::parse("example.org").expect("valid")];
        let business = [Domain::parse("customer.example").expect("valid")];
        let console = [Address::parse("console@service.example").expect("valid")];
        let rules =
            |globs| EntryRules { own_domains: &own, protected_domains: &business, protected_senders: &console, globs };
        for (list, text, globs, expected) in [
            (Personal, "*", true, Err(Refusal::Everybody)),
            (Black, "*", true, Err(Refusal::Everybody)),
            (White, "*@*", true, Err(Refusal::Everybody)),
            (Black, "*.com", false, Err(Refusal::PublicSuffix)),
            (Personal, "co.uk", false, Err(Refusal::PublicSuffix)),
            (Personal, "fr", false, Err(Refusal::PublicSuffix)),
            (Black, "x*@*.com", true, Err(Refusal::PublicSuffix)),
            (Personal, "example.org", false, Err(Refusal::OwnDomain)),
            (Personal, "boss@mail.example.org", false, Err(Refusal::OwnDomain)),
            (Personal, "*.customer.example", false, Err(Refusal::ProtectedDomain)),
            (Personal, "friend@customer.example", false, Err(Refusal::ProtectedDomain)),
            (White, "customer.example", false, Ok(())),
            (Personal, "gmail.com", false, Err(Refusal::Freemail)),
            (White, "*.free.fr", false, Err(Refusal::Freemail)),
            (Black, "gmail.com", false, Ok(())),
            (Personal, "maman@gmail.com", false, Ok(())),
            (Personal, "famille.fr", false, Ok(())),
            (Black, "chef@example.org", false, Err(Refusal::ProtectedSender)),
            (Black, "console@service.example", false, Err(Refusal::ProtectedSender)),
            (Black, "service.example", false, Err(Refusal::ProtectedSender)),
            (Black, "*.service.example", false, Err(Refusal::ProtectedSender)),
            (Black, "con*@service.example", true, Err(Refusal::ProtectedSender)),
            (Black, "promo@service.example", false, Ok(())),
            (Black, "*.mail.service.example", false, Ok(())),
            (White, "service.example", false, Ok(())),
            (Black, "news-*@shop.example", false, Err(Refusal::GlobsOff)),
            (Black, "news-*@shop.example", true, Ok(())),
            (Personal, "x*@*.example.org", true, Err(Refusal::OwnDomain)),
        ] {
            let value: EntryValue = text.parse().expect(text);
            assert_eq!(check(list, &value, &rules(globs)), expected, "{list} {text}");
        }
    }

    #[test]
    fn the_freemail_domains_are_in_the_order_that_the_search_needs() {
        assert!(FREEMAIL.is_sorted());
    }
}
