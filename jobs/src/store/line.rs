//! The line of those that wait, as it stood a moment ago: thousands of callers ask for their places at once, and counting for each
//! of them took ten times as long as all else that an answer needs.
//! Whoever reads a story asks. What must stay true: a short line is as good as new, a long one is read for a small share of the
//! time, and who is not in it is counted exactly.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::Store;
use crate::error::Result;

/// For each that waits a line is kept for so long: about twenty times what reading it takes.
const KEPT_FOR_EACH: Duration = Duration::from_micros(10);

/// Those that wait, and how fast they are told.
#[derive(Debug)]
pub struct Line {
    places: HashMap<Uuid, u64>,
    /// And how many are being told; none if nothing was told lately.
    pace: Option<(Duration, u64)>,
}

impl Line {
    /// In about what time a job with so many before it is told; none if nothing was told lately.
    pub fn wait(&self, before: u64) -> Option<Duration> {
        let (pace, running) = self.pace?;
        Some(pace.mul_f64((before + running + 1) as f64))
    }

    fn is_fresh(&self, read: Instant) -> bool {
        let waiting = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        read.elapsed() < KEPT_FOR_EACH.saturating_mul(waiting)
    }
}

/// The latest line of this process, and when it was read.
pub(super) type Latest = Mutex<Option<(Instant, Arc<Line>)>>;

impl Store {
    /// The line, as it stood at most a tenth of a second ago.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn line(&self) -> Result<Arc<Line>> {
        // those who come while it is read wait for it instead of reading it, too
        let mut latest = self.line.lock().await;
        if let Some((read, line)) = &*latest
            && line.is_fresh(*read)
        {
            return Ok(line.clone());
        }
        let read = Instant::now();
        let line = Arc::new(self.read_line().await?);
        *latest = Some((read, line.clone()));
        Ok(line)
    }

    /// How many queued jobs are told before this one, or before the one that it waits for: 0 is next. None if that is not
    /// queued. Beyond ten thousand it is not counted on.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn position(&self, id: Uuid) -> Result<Option<u64>> {
        self.position_in(&*self.line().await?, id).await
    }

    /// As [`Store::position`], for whoever has the line already.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn position_in(&self, line: &Line, id: Uuid) -> Result<Option<u64>> {
        match line.places.get(&id) {
            Some(place) => Ok(Some(*place)),
            None => self.counted_position(id).await,
        }
    }

    async fn read_line(&self) -> Result<Line> {
        let pace = match self.pace().await? {
            Some(pace) => Some((pace, self.depth().await?.running)),
            None => None,
        };
        Ok(Line {
            places: self.waiting_order().await?,
            pace,
        })
    }
}
