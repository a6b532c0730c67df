//! The memory of invocations that have ended, for those to come: an invocation allocates nothing of its own.

use std::cell::RefCell;

use crate::report::Journal;

/// As many as a thread may keep: more invocations under way at once make journals of their own.
const LIMIT: usize = 64;

thread_local! {
    #[allow(clippy::vec_box, reason = "it is the boxes that are kept: a report is handed on as a pointer")]
    static FREE: RefCell<Vec<Box<Journal>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn take() -> Box<Journal> {
    FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

pub(crate) fn give_back(mut journal: Box<Journal>) {
    // Errors and violations are dropped here, before anything is borrowed: they may run code that comes back.
    journal.clear();
    let _ = FREE.try_with(|free| {
        let mut free = free.borrow_mut();
        if free.len() < LIMIT {
            free.push(journal);
        }
    });
}
