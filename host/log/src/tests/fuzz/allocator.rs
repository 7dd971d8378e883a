//! An allocator that counts what one thread holds, for this crate's unit tests only.
//!
//! A decoder that believes a length field asks for memory before it looks at the bytes; the count shows it, whether the
//! memory is used or not. Memory of C libraries (zstd's own) is not seen.
#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; every call goes to the system's as it came"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: usize, sign: isize) {
    // No size of an allocation is beyond `isize::MAX`; a thread that ends is not counted any more.
    let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
    let _ended = HELD.try_with(|held| {
        let now = held.get().wrapping_add(sign.wrapping_mul(bytes));
        held.set(now);
        let _ended = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
    });
}

// SAFETY: every method passes its arguments to `System` unchanged and returns what that returns; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promise that `at` came from this allocator with `layout` holds for `System`, where it came from.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there for a moment.
        count(size, 1);
        count(layout.size(), -1);
        // SAFETY: as for `dealloc`; the caller promises that `size` is possible.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs `f` and returns how many bytes this thread held at most beyond what it held before.
pub(super) fn peak_of<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let value = f();
    let peak = PEAK.with(Cell::get).wrapping_sub(before);
    (value, usize::try_from(peak).unwrap_or(0))
}
