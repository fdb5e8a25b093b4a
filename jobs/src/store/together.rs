//! One look for all who ask at the same time: a thousand callers who poll cost some statements, and who is alone waits for nobody.
//! `reading.rs` looks so at jobs and their attempts. What must stay true: a look begins after everybody in it has asked,
//! nobody's answer depends on whether somebody else stops waiting, and a look that hangs holds up those in it only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use crate::error::Result;

/// As many as one statement looks at.
const MOST: usize = 100;
/// Who has not been looked for by then does not wait any longer for the look before: another one begins.
const SLOW: Duration = Duration::from_millis(50);
/// So many looks at once.
const LOOKS: usize = 4;

/// Those who ask for what belongs to an id.
#[derive(Debug)]
pub(super) struct Together<T>(Mutex<Asked<T>>);

type Asker<T> = (Uuid, oneshot::Sender<Result<T>>);

#[derive(Debug)]
struct Asked<T> {
    waiting: Vec<Asker<T>>,
    /// So many look, and will look for those who wait.
    looking: usize,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Together(Mutex::new(Asked {
            waiting: Vec::new(),
            looking: 0,
        }))
    }
}

impl<T: Clone + Send + 'static> Together<T> {
    /// What `look` finds for this id. None if that finds nothing or ends early: look for it alone then, which says why. `home` is
    /// where looks live, whoever began them.
    pub(super) async fn ask<L, F>(
        self: &Arc<Self>,
        id: Uuid,
        home: &Handle,
        look: L,
    ) -> Option<Result<T>>
    where
        L: Fn(Vec<Uuid>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<HashMap<Uuid, T>>> + Send,
    {
        let (sender, mut answer) = oneshot::channel();
        self.lock().waiting.push((id, sender));
        let mut at_once = 1;
        loop {
            if let Some(looking) = self.look_for_those_who_wait(at_once) {
                let look = look.clone();
                drop(home.spawn(async move { looking.until_nobody_waits(look).await }));
            }
            match timeout(SLOW, &mut answer).await {
                Ok(answer) => return answer.ok(),
                Err(_) => at_once = LOOKS,
            }
        }
    }

    /// Somebody who looks, unless so many do or nobody waits.
    fn look_for_those_who_wait(self: &Arc<Self>, at_once: usize) -> Option<Looking<T>> {
        let mut asked = self.lock();
        let is_needed = asked.looking < at_once && !asked.waiting.is_empty();
        is_needed.then(|| {
            asked.looking += 1;
            Looking {
                together: Arc::clone(self),
                over: false,
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Asked<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who looks. If his task ends early and he was the only one, nobody waits for him any longer, and the next one who asks looks.
struct Looking<T: Clone + Send + 'static> {
    together: Arc<Together<T>>,
    /// Nobody waited any more.
    over: bool,
}

impl<T: Clone + Send + 'static> Looking<T> {
    async fn until_nobody_waits<L, F>(mut self, look: L)
    where
        L: Fn(Vec<Uuid>) -> F,
        F: Future<Output = Result<HashMap<Uuid, T>>>,
    {
        while let Some(next) = self.next() {
            let mut ids: Vec<Uuid> = next.iter().map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids.dedup();
            let found = look(ids).await;
            for (id, asker) in next {
                let answer = match &found {
                    Ok(found) => found.get(&id).cloned().map(Ok),
                    Err(error) => Some(Err(error.again())),
                };
                // who has stopped waiting needs none
                let _ = answer.map(|answer| asker.send(answer));
            }
        }
    }

    /// Those who are looked for next.
    fn next(&mut self) -> Option<Vec<Asker<T>>> {
        let mut asked = self.together.lock();
        let many = asked.waiting.len().min(MOST);
        self.over = many == 0;
        if self.over {
            asked.looking -= 1;
            return None;
        }
        Some(asked.waiting.drain(..many).collect())
    }
}

impl<T: Clone + Send + 'static> Drop for Looking<T> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut asked = self.together.lock();
        asked.looking -= 1;
        if asked.looking == 0 {
            asked.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::Error;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    /// Finds the lowest byte of each id but those of 0, after a while, fails at 255 and hangs at 254; counts how often it was asked.
    async fn look(looks: Arc<AtomicUsize>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, u8>> {
        looks.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let found: HashMap<_, _> = ids.into_iter().map(|id| (id, id.as_bytes()[15])).collect();
        if found.values().any(|byte| *byte == 254) {
            std::future::pending::<()>().await;
        }
        if found.values().any(|byte| *byte == 255) {
            return Err(Error::unexpected("look", "it is 255"));
        }
        Ok(found.into_iter().filter(|(_, byte)| *byte > 0).collect())
    }

    type Asked = tokio::task::JoinHandle<Option<Result<u8>>>;

    fn ask(together: &Arc<Together<u8>>, looks: &Arc<AtomicUsize>, number: usize) -> Asked {
        let (together, looks, home) = (together.clone(), looks.clone(), Handle::current());
        let look = move |ids| look(looks.clone(), ids);
        let id = Uuid::from_u128(number as u128);
        tokio::spawn(async move { together.ask(id, &home, look).await })
    }

    #[tokio::test]
    async fn all_who_come_while_one_looks_are_looked_for_at_once() {
        let (together, looks) = (Arc::default(), Arc::default());
        let asked: Vec<_> = (0..300)
            .map(|number| ask(&together, &looks, number % 200))
            .collect();
        for (number, answer) in asked.into_iter().enumerate() {
            let byte = (number % 200) as u8;
            let answer = answer.await.unwrap().map(Result::unwrap);
            assert_eq!(answer, (byte > 0).then_some(byte));
        }
        let taken = looks.load(Ordering::Relaxed);
        assert!((3..=6).contains(&taken), "{taken} looks");
        // the next one looks again, and hears of what goes wrong
        let failed = ask(&together, &looks, 255).await.unwrap();
        let failed = failed.unwrap().unwrap_err().to_string();
        assert_eq!(failed, "cannot look: it is 255");
        assert_eq!(looks.load(Ordering::Relaxed), taken + 1);
    }

    #[tokio::test]
    async fn who_stops_waiting_and_a_look_that_ends_early_hold_up_nobody() {
        let (together, looks) = (Arc::default(), Arc::default());
        let panics = |_: Vec<Uuid>| async { panic!("a look that ends early") };
        let home = Handle::current();
        let early = Together::ask(&together, Uuid::nil(), &home, panics).await;
        assert!(early.is_none());
        let impatient = ask(&together, &looks, 1);
        tokio::time::sleep(Duration::from_millis(1)).await;
        impatient.abort();
        assert!(impatient.await.unwrap_err().is_cancelled());
        let patient = ask(&together, &looks, 2).await.unwrap();
        assert_eq!(patient.unwrap().unwrap(), 2);
    }

    #[tokio::test]
    async fn a_look_that_hangs_holds_up_those_in_it_only() {
        let (together, looks) = (Arc::default(), Arc::default());
        let hanging = ask(&together, &looks, 254);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        let asked: Vec<_> = (1..6)
            .map(|number| ask(&together, &looks, number))
            .collect();
        for (number, answer) in (1..6).zip(asked) {
            assert_eq!(answer.await.unwrap().unwrap().unwrap(), number);
        }
        assert!(begun.elapsed() >= SLOW && !hanging.is_finished());
        assert!(looks.load(Ordering::Relaxed) <= LOOKS);
    }
}
