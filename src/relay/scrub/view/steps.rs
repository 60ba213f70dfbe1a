//! Counts the bytes that rounds read, so that tests can see that time stays linear without a clock.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Notes that this many bytes were read.
pub(in super::super) fn add(bytes: usize) {
    STEPS.with(|steps| steps.set(steps.get() + bytes));
}

/// The bytes that `work` has read.
pub(in super::super) fn of(work: impl FnOnce()) -> usize {
    STEPS.with(|steps| steps.set(0));
    work();
    STEPS.with(Cell::get)
}
