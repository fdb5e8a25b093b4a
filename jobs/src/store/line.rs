//! The line of those that wait, as it stood a moment ago: thousands of callers ask for their places at once, and counting for each
//! of them took ten times as long as all else that an answer needs.
//! Whoever reads a story asks. What must stay true: a short line is as good as new, a long one is read for a small share of the
//! time, who has come to its end since stands there, and who else is not in it is counted exactly.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::Store;
use super::row::{failed, lane};
use crate::error::Result;
use crate::job::Job;

const DOING: &str = "see who waits";
/// Whoever stands farther back need not know exactly where.
const LONGEST: i64 = 10_000;
/// In a line of so many it makes no difference how many have come in the milliseconds since it was read, and counting up to one
/// who has takes as long as all else that a submit asks of the database.
const LONG: u64 = 1000;
const LANES: usize = 10;

/// For each that waits a line is kept for so long: at least twenty times what reading it takes.
const KEPT_FOR_EACH: Duration = Duration::from_micros(40);

/// Those that wait, and how fast they are told.
#[derive(Debug)]
pub struct Line {
    places: HashMap<Uuid, u64>,
    /// How many wait in each lane and in those before it.
    up_to: [u64; LANES],
    /// By the clock of this process, since 1970, before it was read.
    read: Duration,
    /// And how many are being told; none if nothing was told lately.
    pace: Option<(Duration, u64)>,
}

impl Line {
    /// In about what time a job with so many before it is told; none if nothing was told lately.
    pub fn wait(&self, before: u64) -> Option<Duration> {
        let (pace, running) = self.pace?;
        Some(pace.mul_f64((before + running + 1) as f64))
    }

    /// The place of one that has come to a long line since it was read, or stands beyond its end: the last one of its lane.
    fn behind(&self, job: &Job) -> Option<u64> {
        let (seconds, nanos) = job.id.get_timestamp()?.to_unix();
        let place = self.up_to[usize::try_from(lane(job.request.priority)).ok()?];
        let is_new = Duration::new(seconds, nanos) > self.read;
        let is_behind = is_new || place >= LONGEST.unsigned_abs();
        // those that were put off or wait for another job have a place of their own
        let in_order = job.attempts == 0 && job.follows.is_none();
        (is_behind && in_order && self.up_to[LANES - 1] >= LONG).then_some(place)
    }

    fn is_fresh(&self, read: Instant) -> bool {
        let waiting = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        read.elapsed() < KEPT_FOR_EACH.saturating_mul(waiting)
    }
}

/// The latest line of this process, and when it was read.
pub(super) type Latest = Mutex<Option<(Instant, Arc<Line>)>>;

impl Store {
    /// The line, as it stood at most four tenths of a second ago.
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
        match self.line().await?.places.get(&id) {
            Some(place) => Ok(Some(*place)),
            None => self.counted_position(id).await,
        }
    }

    /// As [`Store::position`], for whoever has the line and the job already.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn position_in(&self, line: &Line, job: &Job) -> Result<Option<u64>> {
        let place = line.places.get(&job.id).copied();
        match place.or_else(|| line.behind(job)) {
            Some(place) => Ok(Some(place)),
            None => self.counted_position(job.id).await,
        }
    }

    /// The queue: how many are told before each job that waits, for the first ten thousand. Who waits for what another job
    /// tells has its place.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn waiting_order(&self) -> Result<HashMap<Uuid, u64>> {
        Ok(self.read_places().await?.0)
    }

    /// A place in the queue, counted for this job alone.
    async fn counted_position(&self, id: Uuid) -> Result<Option<u64>> {
        let ahead = sqlx::query_scalar!(
            r#"select (
                select count(*) from (
                    select from jobs as ahead
                    where ahead.state = 'queued' and ahead.follows is null
                        and (ahead.lane, ahead.due_at, ahead.id) < (job.lane, job.due_at, job.id)
                    limit $2
                ) as counted
            ) as "ahead!" from jobs as job
            where job.id = coalesce((select follows from jobs where id = $1), $1) and job.state = 'queued'"#,
            id,
            LONGEST,
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed("find a job's place in the queue", error))?;
        Ok(ahead.map(i64::unsigned_abs))
    }

    async fn read_line(&self) -> Result<Line> {
        let read = SystemTime::now().duration_since(UNIX_EPOCH);
        let pace = match self.pace().await? {
            Some(pace) => Some((pace, self.depth().await?.running)),
            None => None,
        };
        let (places, up_to) = self.read_places().await?;
        Ok(Line {
            places,
            up_to,
            read: read.unwrap_or_default(),
            pace,
        })
    }

    async fn read_places(&self) -> Result<(HashMap<Uuid, u64>, [u64; LANES])> {
        let waiting = sqlx::query!(
            "select id, lane from jobs where state = 'queued' and follows is null order by lane, due_at, id limit $1",
            LONGEST,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        let followers = sqlx::query!(
            r#"select id, follows as "follows!" from jobs where state = 'queued' and follows is not null limit $1"#,
            LONGEST,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        let mut places = HashMap::with_capacity(waiting.len() + followers.len());
        let mut up_to = [0; LANES];
        for (place, one) in (0..).zip(waiting) {
            places.insert(one.id, place);
            let own = usize::try_from(one.lane).unwrap_or(0);
            up_to[own.min(LANES - 1)..].fill(place + 1);
        }
        for follower in followers {
            if let Some(place) = places.get(&follower.follows).copied() {
                places.insert(follower.id, place);
            }
        }
        Ok((places, up_to))
    }
}
