//! The same work for many things, shared out among the cores.
//! Where networks are opened, and where a graphics card waits for what the processor prepares. What must stay true: results
//! come in the order of the things.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

/// Does `work` for each item.
pub(crate) fn abreast<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> R + Copy + Send,
) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(items.len());
    if threads < 2 {
        return items.into_iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads);
    let mut items = items.into_iter();
    thread::scope(|scope| {
        let mut begun = Vec::with_capacity(threads);
        for _ in 0..threads {
            let own: Vec<T> = items.by_ref().take(share).collect();
            begun.push(scope.spawn(move || {
                let _no_grad = tch::no_grad_guard();
                own.into_iter().map(work).collect::<Vec<R>>()
            }));
        }
        let done = begun.into_iter().map(ScopedJoinHandle::join);
        done.flat_map(|own| own.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_however_many_there_are() {
        for count in [0, 1, 2, 3, 17, 64] {
            let squares = abreast((0..count).collect(), |n: usize| n * n);
            assert_eq!(squares, (0..count).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "the fifth")]
    fn a_panic_of_one_is_the_callers() {
        let _ = abreast((0..9).collect(), |n: usize| assert!(n != 5, "the fifth"));
    }
}
