//! What a user does: ten actions in turn, two of which change a list. The next user begins with the next of them.

use crate::browser::{Browser, entry_of};

/// What a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A page was opened.
    Page,
    /// A list was searched.
    Search,
    /// An entry was added or removed.
    Change,
}

/// A user who is signed in.
pub struct Person {
    pub browser: Browser,
    /// Actions so far, and those that users before this one have ahead.
    turn: usize,
    /// Whom they added last, and the entry as the search showed it.
    added: String,
    entry: Option<String>,
}

const LIST: &str = "/listes/personnels";

impl Person {
    pub fn new(number: usize, browser: Browser) -> Self {
        Self { browser, turn: number, added: format!("friend{number}@somewhere.example"), entry: None }
    }

    /// Does the next thing.
    ///
    /// # Errors
    /// The console does not answer as it should.
    pub fn act(&mut self) -> anyhow::Result<Action> {
        let page = ["/", LIST, "/historique", "/listes/bloques", "/reglages", "/listes/journal", "/"];
        let turn = self.turn % 10;
        self.turn += 1;
        match (turn, self.entry.take()) {
            (7, _) => {
                let form = [("liste", "personnels"), ("adresse", &self.added), ("choix", "seul"), ("retour", LIST)];
                self.browser.post("/listes/ajouter", &form)?;
                Ok(Action::Change)
            }
            (8, _) => {
                let found = self.browser.post(LIST, &[("q", &self.added)])?.1;
                self.entry = entry_of(&found).ok();
                Ok(Action::Search)
            }
            (9, Some(entry)) => {
                self.browser.post(&format!("{entry}/retirer"), &[])?;
                Ok(Action::Change)
            }
            // Who begins with the end of the turn has nothing to remove.
            (9, None) => self.open(LIST),
            (turn, _) => self.open(page[turn]),
        }
    }

    fn open(&mut self, path: &str) -> anyhow::Result<Action> {
        self.browser.get(path)?;
        Ok(Action::Page)
    }
}
