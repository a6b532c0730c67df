//! The buffers of invocations that have ended, for those to come: an invocation allocates nothing of its own.

use std::cell::RefCell;

use cpex_core::{Buffers, Record};

use crate::host::RustValues;

/// As many as a thread may keep: more invocations under way at once make buffers of their own.
const LIMIT: usize = 64;

thread_local! {
    static FREE: RefCell<Vec<Buffers<RustValues>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn take() -> Buffers<RustValues> {
    FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

pub(crate) fn give_back(mut buffers: Buffers<RustValues>, records: Vec<Record<RustValues>>) {
    // Errors and violations are dropped here, before anything is borrowed: they may run code that comes back.
    buffers.keep(records);
    let _ = FREE.try_with(|free| {
        let mut free = free.borrow_mut();
        if free.len() < LIMIT {
            free.push(buffers);
        }
    });
}
