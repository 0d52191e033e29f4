//! A browser that uses the console over HTTP, for the benchmarks that ask it.

// Each benchmark takes what it needs of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Idle connections are not used again after this: the console closes them after ten seconds.
const IDLE: Duration = Duration::from_secs(5);

/// A browser: one connection, and the cookies.
pub struct Browser {
    agent: ureq::Agent,
    origin: String,
    /// The address that a proxy before the console would tell of.
    address: Option<String>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// For the console at an origin.
    pub fn new(origin: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let config = config.max_redirects_will_error(false).max_idle_age(IDLE);
        Self { agent: config.build().into(), origin: origin.to_owned(), address: None, cookies: BTreeMap::new() }
    }

    /// The same behind a proxy, at this address.
    pub fn at(self, address: String) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Asks for a page: how long it took to the last byte, and the page.
    pub fn get(&mut self, path: &str) -> anyhow::Result<(Duration, String)> {
        let request = self.agent.get(format!("{}{path}", self.origin)).header("cookie", self.cookie());
        let request = request.header("x-forwarded-for", self.address.as_deref().unwrap_or_default());
        let started = Instant::now();
        let answer = request.call()?;
        self.taken(path, answer, started)
    }

    /// Sends a form: how long it took to the last byte of the answer, which is no page where all went well.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> anyhow::Result<(Duration, String)> {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.agent.post(format!("{}{path}", self.origin)).header("cookie", self.cookie());
        let request = request.header("x-forwarded-for", self.address.as_deref().unwrap_or_default());
        let request =
            request.header("origin", &self.origin).header("content-type", "application/x-www-form-urlencoded");
        let started = Instant::now();
        let answer = request.send(&body)?;
        self.taken(path, answer, started)
    }

    /// Its cookies, as it sends them.
    pub fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn taken(
        &mut self,
        path: &str,
        mut answer: ureq::http::Response<ureq::Body>,
        started: Instant,
    ) -> anyhow::Result<(Duration, String)> {
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_string()?;
        let time = started.elapsed();
        let status = answer.status().as_u16();
        ensure!(status == 200 || status == 303, "{path}: {status}");
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, value) =
                cookie.to_str()?.split(';').next().and_then(|c| c.split_once('=')).context("a cookie")?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok((time, body))
    }
}

/// The path of the first entry on a page.
pub fn entry_of(page: &str) -> anyhow::Result<String> {
    first(page, "href=\"", "/listes/entree/")
}

/// The first value of an attribute that begins so.
pub fn first(page: &str, attribute: &str, begin: &str) -> anyhow::Result<String> {
    let start = page.find(&format!("{attribute}{begin}")).with_context(|| format!("no {begin} on the page"))?;
    let value = &page[start + attribute.len()..];
    Ok(value[..value.find('"').unwrap_or(value.len())].to_owned())
}
