//! What the console does by itself, for as long as it runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{error, warn};

use super::state::Console;
use super::{digest, security};
use crate::store::{OrganisationId, Store, StoreError};

/// How often what has expired is forgotten.
const PRUNE: Duration = Duration::from_secs(300);
/// How often every chain of the journal is followed from its beginning.
const VERIFY: Duration = Duration::from_secs(3600);

/// What following the chains of the journal found.
pub struct JournalState {
    /// When they had been followed.
    pub at: Timestamp,
    /// Organisations whose chain is broken; `–` stands for what is no organisation's.
    pub broken: Vec<String>,
}

/// Looks after things until the runtime ends.
pub async fn run(console: Arc<Console>) {
    let mut every = tokio::time::interval(console.options.upkeep);
    let (mut pruned, mut verified) = (None, None);
    loop {
        every.tick().await;
        if is_due(&mut pruned, PRUNE) {
            console.limits.prune();
            let _ = console.blocking(|console| console.store.prune_sessions()).await;
            let _ = security::lock::make_fresh_starts(&console).await;
        }
        if is_due(&mut verified, VERIFY) {
            // Long where the journal is: nothing else waits for it.
            let console = Arc::clone(&console);
            tokio::spawn(async move { console.blocking(verify).await });
        }
        let _ = console.blocking(digest::send_due).await;
    }
}

fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let is_due = last.is_none_or(|at| at.elapsed() >= every);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

/// Follows every chain of the journal.
fn verify(console: &Console) -> Result<(), StoreError> {
    let verified = broken(&*console.store).inspect_err(|error| warn!(%error, "the journal could not be verified"))?;
    if !verified.is_empty() {
        error!(chains = verified.len(), "the journal is broken: see the health page, or run perso-milter check");
    }
    console.journal.store(Some(Arc::new(JournalState { at: (console.clock)(), broken: verified })));
    Ok(())
}

fn broken(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let mut chains = vec![(OrganisationId::INSTALLATION, "–".to_owned())];
    chains.extend(store.organisations()?.into_iter().map(|organisation| (organisation.id, organisation.name)));
    let mut broken = Vec::new();
    for (id, name) in chains {
        if store.verify_journal(id)?.broken.is_some() {
            broken.push(name);
        }
    }
    Ok(broken)
}
