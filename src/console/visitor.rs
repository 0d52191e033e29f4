//! Who asks: from which address, in which language, with which browser.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::page::Notice;
use super::state::Console;
use crate::language::Language;
use crate::network::Network;
use crate::store::SecretHash;

/// Names this browser to us, before and after anybody signs in; lives for a year.
const BROWSER: &str = "__Host-cim-browser";
/// Holds the language that the visitor chose.
const LANGUAGE: &str = "__Host-cim-language";
/// Holds what is to be said on the next page.
const NOTICE: &str = "__Host-cim-notice";
/// Of every cookie.
const ATTRIBUTES: &str = "; Secure; HttpOnly; SameSite=Lax";
const YEAR: u32 = 365 * 86_400;
/// Longest notice taken back from a browser, in bytes.
const MAX_NOTICE: usize = 2048;

/// Whoever asks, signed in or not.
#[derive(Clone)]
pub struct Visitor {
    /// The peer's address, or what a declared proxy says it is.
    pub address: IpAddr,
    /// The language of the answer to a visitor of whom no more is known.
    pub language: Language,
    /// The language that was chosen in this browser.
    pub chosen: Option<Language>,
    /// What names this browser; hashed, as the store knows it.
    pub browser: SecretHash,
    /// A short name of the browser, for the list of sessions.
    pub browser_name: &'static str,
    /// What the page before wants said.
    pub notice: Option<Notice>,
    /// The path asked for, as [`path_of`] keeps it.
    pub path: String,
}

impl Visitor {
    /// The network of the address, by which tries are counted and sessions are listed: a /24, or a /48 of IPv6.
    pub fn network(&self) -> String {
        match self.address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}::/48")
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let visitor = parts.extensions.get::<Self>().cloned();
        Ok(visitor.expect("the layer `recognise` stands before every route"))
    }
}

/// Recognises the visitor, for handlers and for the layers within, and gives a browser its name.
pub async fn recognise(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |c| c.0.ip());
    let headers = request.headers();
    let named = cookie(headers, BROWSER).and_then(|value| URL_SAFE_NO_PAD.decode(value).ok());
    let named = named.filter(|name| name.len() == 16).map(Zeroizing::new);
    let fresh = named.is_none().then(fresh_name);
    let name = named.or_else(|| fresh.clone()).unwrap_or_default();
    let chosen = cookie(headers, LANGUAGE).and_then(|value| value.parse().ok());
    let accepted = || headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok().and_then(Language::of_accepted);
    let language = chosen.or_else(accepted).unwrap_or(console.options.language);
    let notice = cookie(headers, NOTICE).filter(|value| value.len() <= MAX_NOTICE).and_then(Notice::from_cookie);
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let visitor = Visitor {
        address: address(peer, headers, &console.options.trusted_proxies),
        language,
        chosen,
        browser: SecretHash::of(&name),
        browser_name: browser_name(agent),
        notice,
        path: path_of(request.uri()).to_owned(),
    };
    let had_notice = cookie(headers, NOTICE).is_some();
    request.extensions_mut().insert(visitor);
    let mut response = next.run(request).await;
    complete_cookies(response.headers_mut());
    if let Some(name) = fresh {
        append(&mut response, &format!("{BROWSER}={}; Max-Age={YEAR}", URL_SAFE_NO_PAD.encode(name.as_slice())));
    }
    // A notice is said once: on the first page, not on what that page loads.
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let has_next = response.extensions().get::<Notice>().cloned();
    if let Some(notice) = has_next {
        append(&mut response, &format!("{NOTICE}={}; Max-Age=60", notice.to_cookie()));
    } else if had_notice && is_page {
        append(&mut response, &format!("{NOTICE}=; Max-Age=0"));
    }
    response
}

/// Pages whose query says what was searched for: addresses.
const SEARCHED: [&str; 2] = ["/listes/", "/gestion/utilisateurs"];

/// The path of a page to come back to, with its query. Of pages that search the query is left out: words of a list do not go
/// into further addresses, which proxies write down.
pub fn path_of(uri: &Uri) -> &str {
    if SEARCHED.iter().any(|start| uri.path().starts_with(start)) {
        return uri.path();
    }
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// Browsers heed a `__Host-` cookie only with `Secure`, and `tower-sessions` removes its cookie without.
fn complete_cookies(headers: &mut HeaderMap) {
    let all: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).into_iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for value in all {
        let text = value.to_str().unwrap_or_default();
        let complete = if text.contains("; Secure") { Ok(value) } else { format!("{text}{ATTRIBUTES}").parse() };
        headers.extend(complete.ok().map(|value| (header::SET_COOKIE, value)));
    }
}

/// Has the browser remember a language.
pub fn remember_language(response: &mut Response, language: Language) {
    append(response, &format!("{LANGUAGE}={language}; Max-Age={YEAR}"));
}

fn append(response: &mut Response, cookie: &str) {
    let value = format!("{cookie}; Path=/{ATTRIBUTES}");
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn fresh_name() -> Zeroizing<Vec<u8>> {
    let mut name = Zeroizing::new(vec![0; 16]);
    // Without randomness the name is of no browser: its sign-ins do not come back, and nothing else fails.
    if aws_lc_rs::rand::fill(&mut name).is_err() {
        name.clear();
    }
    name
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The first address from the right of `X-Forwarded-For` that is no declared proxy; the peer's where it is none itself.
/// What stands left of it anybody may have written.
fn address(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut nearest = peer;
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.into_iter().rev() {
        if !is_proxy(nearest) {
            break;
        }
        let Ok(address) = hop.trim().parse() else { break };
        nearest = address;
    }
    nearest
}

/// What a browser calls itself, in short: enough to tell one's own sessions apart.
fn browser_name(agent: &str) -> &'static str {
    const NAMES: [(&str, &str); 6] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    NAMES.into_iter().find(|(mark, _)| agent.contains(mark)).map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(forwarded: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_was_searched_for_is_not_carried_along() {
        for (asked, kept) in [
            ("/historique?message=7", "/historique?message=7"),
            ("/listes/personnels?q=maman&page=2", "/listes/personnels"),
            ("/gestion/utilisateurs?q=anne", "/gestion/utilisateurs"),
            ("/", "/"),
        ] {
            assert_eq!(path_of(&asked.parse().expect("a path")), kept, "{asked}");
        }
    }

    #[test]
    fn only_declared_proxies_say_for_whom_they_ask() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let proxies: Vec<Network> = ["10.0.0.0/8", "127.0.0.1"].map(|n| n.parse().expect("a network")).into();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7, 10.1.1.1"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, nonsense"], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
        ] {
            assert_eq!(address(ip(peer), &headers(forwarded), &proxies), ip(expected), "{peer} {forwarded:?}");
        }
    }
}
