//! How much is allocated: an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which counts. A test that asks for numbers makes it its own:
///
/// ```
/// use cpex_testkit::Counting;
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting;
///
/// let before = Counting::allocations();
/// drop(std::hint::black_box(Box::new(1)));
/// assert_eq!(Counting::allocations() - before, 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

static HELD: AtomicUsize = AtomicUsize::new(0);

impl Counting {
    /// How often this thread has allocated so far.
    #[must_use]
    pub fn allocations() -> usize {
        ALLOCATIONS.get()
    }

    /// How many bytes all threads hold now.
    #[must_use]
    pub fn held() -> usize {
        HELD.load(Ordering::Relaxed)
    }
}

// SAFETY: every call is handed on to the system's allocator as it came; counting touches no memory of its.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}
