//! Networks that several threads read at once, and how many threads a product of theirs may use.
//!
//! The bindings cannot promise for a tensor what holds only while nobody writes into it; [`ReadOnly`] is that promise.
#![allow(unsafe_code)]

/// Networks that nobody writes into while they are [`Shared`], and whose other parts are made for several threads. To
/// implement it is to promise it.
pub trait ReadOnly {}

/// Networks lent to several threads.
#[derive(Debug)]
pub struct Shared<'a, T>(&'a T);

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: libtorch counts references to tensors atomically and lets any number of threads read one and compute with it;
// that none of them writes is what `ReadOnly` promises.
unsafe impl<T: ReadOnly> Send for Shared<'_, T> {}
// SAFETY: as above; what is lent is the same reference, whoever holds it.
unsafe impl<T: ReadOnly> Sync for Shared<'_, T> {}

impl<'a, T: ReadOnly> Shared<'a, T> {
    /// Lends `networks` to other threads.
    pub fn lend(networks: &'a T) -> Self {
        Self(networks)
    }

    /// What was lent.
    pub fn get(self) -> &'a T {
        self.0
    }
}

/// While it lives, a product of matrices takes one thread: products of few rows gain nothing by more, whose waiting would
/// cost as much processor time again.
#[derive(Debug)]
pub struct OneThread {
    before: i32,
}

impl OneThread {
    /// From now on.
    pub fn begin() -> Self {
        let before = tch::get_num_threads();
        tch::set_num_threads(1);
        Self { before }
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        tch::set_num_threads(self.before);
    }
}
