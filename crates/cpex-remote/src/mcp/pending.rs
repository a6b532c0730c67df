//! The requests of one peer that are being answered.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::jsonrpc::Id;

/// The requests under way, and how to give each up.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<HashMap<Id, oneshot::Sender<()>>>);

/// A request under way.
pub(super) struct Ticket {
    pending: Arc<Pending>,
    id: Id,
    given_up: oneshot::Receiver<()>,
}

impl Pending {
    /// A request begins; `None` if another of the same identifier is under way.
    pub(super) fn begin(self: &Arc<Self>, id: &Id) -> Option<Ticket> {
        let (give_up, given_up) = oneshot::channel();
        match self.requests().entry(id.clone()) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(place) => place.insert(give_up),
        };
        Some(Ticket { pending: self.clone(), id: id.clone(), given_up })
    }

    /// The peer no longer waits for this answer.
    pub(super) fn give_up(&self, id: &Id) {
        self.requests().remove(id);
    }

    /// The peer waits for none any more.
    pub(super) fn give_all_up(&self) {
        self.requests().clear();
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<Id, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Works until it is done; `None` if the peer has given the request up.
    pub(super) async fn unless_given_up<T>(mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = &mut self.given_up => None,
            done = work => Some(done),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pending.give_up(&self.id);
    }
}
