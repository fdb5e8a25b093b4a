//! Those who wait while stories are told: a thousand polls and some hundred event streams, a real worker, and others who poll
//! beside them.
//! Whoever hears of an end waits for the next story at once. What must stay true: an end that nobody heard of is counted.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::{Barrier, mpsc};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::caller::{Asking, Caller, ask_all, form, get, poll_one_of};
use crate::meter::{Cost, Meter, percentile};
use crate::place::Place;

/// So long a story takes, one after the other: up to fifty a second, more than a machine tells.
const SCRIPT: &str = r#"{"script":"slow:20ms"}"#;
/// Stories a second that are there to be told.
const TOLD_A_SECOND: usize = 60;
/// Until whoever still waits has heard of what has ended.
const LAST_NEWS: Duration = Duration::from_secs(10);

/// How many wait at once.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) pollers: usize,
    pub(crate) streams: usize,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Busy {
    pub(crate) pollers: usize,
    pub(crate) streams: usize,
    pub(crate) told_per_second: f64,
    /// Of others who ask meanwhile, each again as soon as he is answered.
    pub(crate) polls_per_second: f64,
    pub(crate) polls_p50_ms: f64,
    pub(crate) polls_p99_ms: f64,
    /// Of them that were refused.
    pub(crate) refused: usize,
    /// What all of it cost for each of them.
    pub(crate) cost: Cost,
    /// From the end of a story to the answer of a poll that waits for it.
    pub(crate) by_poll: Heard,
    /// From the end of a story to its event on a stream.
    pub(crate) by_stream: Heard,
    /// Ends that were waited for and not heard of.
    pub(crate) unheard: usize,
}

/// How soon ends were heard of.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Heard {
    pub(crate) ends: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// How somebody waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Poll,
    Stream,
}

/// An end that was heard of.
struct News {
    how: How,
    id: Uuid,
    at: DateTime<Utc>,
}

/// What those who wait have in common.
struct Crowd {
    address: SocketAddr,
    /// Stories that nobody waits for yet, in the order in which they are told.
    next: Mutex<VecDeque<Uuid>>,
    /// Those that somebody has waited for.
    waited_for: Mutex<Vec<Uuid>>,
    heard: mpsc::UnboundedSender<News>,
}

#[derive(Deserialize)]
struct Accepted {
    id: Uuid,
}

/// Lets so many wait, has stories told for a time, and asks beside them.
pub(crate) async fn measured(
    place: &mut Place,
    program: &Path,
    waiting: Waiting,
    asking: &Asking,
) -> Busy {
    let all = waiting.pollers + waiting.streams;
    let stories = all + TOLD_A_SECOND * asking.time.as_secs() as usize;
    let ids = submitted(asking, stories).await;
    let (heard, mut news) = mpsc::unbounded_channel();
    let crowd = Arc::new(Crowd {
        address: place.address,
        next: Mutex::new(ids.iter().copied().collect()),
        waited_for: Mutex::default(),
        heard,
    });
    let listeners = crowded(&crowd, waiting).await;

    let teller = place.teller(program);
    let meter = Meter::start(place).await;
    let polls = ask_all(asking, poll_one_of(&ids)).await;
    let cost = meter.read(place, polls.times.len()).await;
    drop(teller);

    let told = ended(place, &ids).await;
    let waited_for = crowd.waited_for.lock().unwrap().clone();
    let mut unheard: HashMap<Uuid, DateTime<Utc>> = told.clone();
    unheard.retain(|id, _| waited_for.contains(id));
    let mut delays: [Vec<Duration>; 2] = Default::default();
    while !unheard.is_empty() {
        let Ok(Some(News { how, id, at })) = tokio::time::timeout(LAST_NEWS, news.recv()).await
        else {
            break;
        };
        if let Some(end) = unheard.remove(&id) {
            let delay = (at - end).to_std().unwrap_or_default();
            delays[usize::from(how == How::Stream)].push(delay);
        }
    }
    listeners.iter().for_each(JoinHandle::abort);
    let [by_poll, by_stream] = delays.map(heard_of);
    Busy {
        pollers: waiting.pollers,
        streams: waiting.streams,
        told_per_second: told.len() as f64 / asking.time.as_secs_f64(),
        polls_per_second: polls.times.len() as f64 / asking.time.as_secs_f64(),
        polls_p50_ms: percentile(&polls.times, 0.5),
        polls_p99_ms: percentile(&polls.times, 0.99),
        refused: polls.refused,
        cost,
        by_poll,
        by_stream,
        unheard: unheard.len(),
    }
}

/// Hands in so many stories, in order.
async fn submitted(asking: &Asking, count: usize) -> Vec<Uuid> {
    let photo = testkit::photos::of_bytes(20_000);
    let mut caller = Caller::open(asking.address).await.unwrap();
    let mut ids = Vec::with_capacity(count);
    for seed in 1..=count {
        // of the same wishes one story would be told for all
        let fields = [("metadata", SCRIPT), ("seed", &seed.to_string())];
        let request = form("/v1/stories", &photo, &fields);
        caller.send(&request).await.unwrap();
        let (status, body) = caller.answer().await.unwrap();
        assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
        ids.push(serde_json::from_slice::<Accepted>(&body).unwrap().id);
    }
    ids
}

/// All who wait, once each has asked.
async fn crowded(crowd: &Arc<Crowd>, waiting: Waiting) -> Vec<JoinHandle<()>> {
    let all = waiting.pollers + waiting.streams;
    let all_wait = Arc::new(Barrier::new(all + 1));
    // streams are spread evenly, so that of the first stories to end some are followed
    let is_stream =
        |place: usize| (place + 1) * waiting.streams / all > place * waiting.streams / all;
    let listeners = (0..all).map(|place| {
        let (crowd, all_wait) = (Arc::clone(crowd), Arc::clone(&all_wait));
        let how = if is_stream(place) {
            How::Stream
        } else {
            How::Poll
        };
        let first = crowd.take().unwrap();
        tokio::spawn(listen(crowd, how, first, all_wait))
    });
    let listeners = listeners.collect();
    all_wait.wait().await;
    listeners
}

/// Waits for one story after the other.
async fn listen(crowd: Arc<Crowd>, how: How, first: Uuid, all_wait: Arc<Barrier>) {
    let mut id = first;
    let mut caller = Caller::open(crowd.address).await.unwrap();
    if how == How::Stream {
        follow(&mut caller, id).await;
    } else {
        poll(&mut caller, id).await;
    }
    all_wait.wait().await;
    loop {
        match how {
            How::Stream => drop(caller.until(b"event: end\n").await.unwrap()),
            How::Poll => has_ended(&mut caller, id).await,
        }
        let at = Utc::now();
        // nobody asks for it any more once the measurement is over
        let _ = crowd.heard.send(News { how, id, at });
        let Some(next) = crowd.take() else { return };
        id = next;
        if how == How::Stream {
            caller = Caller::open(crowd.address).await.unwrap();
            follow(&mut caller, id).await;
        } else {
            poll(&mut caller, id).await;
        }
    }
}

async fn follow(caller: &mut Caller, id: Uuid) {
    let request = get(&format!("/v1/stories/{id}/events"));
    caller.send(&request).await.unwrap();
    let head = caller.until(b"\r\n\r\n").await.unwrap();
    let text = String::from_utf8_lossy(&head);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

async fn poll(caller: &mut Caller, id: Uuid) {
    let request = get(&format!("/v1/stories/{id}?wait=60"));
    caller.send(&request).await.unwrap();
}

/// Asks again as long as the wait ends before the story does.
async fn has_ended(caller: &mut Caller, id: Uuid) {
    loop {
        let (status, body) = caller.answer().await.unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let told = br#""state":"succeeded""#;
        if body.windows(told.len()).any(|part| part == told) {
            return;
        }
        poll(caller, id).await;
    }
}

impl Crowd {
    /// The next story to wait for.
    fn take(&self) -> Option<Uuid> {
        let next = self.next.lock().unwrap().pop_front()?;
        self.waited_for.lock().unwrap().push(next);
        Some(next)
    }
}

/// When each of these was told that was.
async fn ended(place: &Place, ids: &[Uuid]) -> HashMap<Uuid, DateTime<Utc>> {
    let mut ended = HashMap::new();
    for id in ids {
        let job = place.store.get(*id).await.unwrap().unwrap();
        if let Some(at) = job.finished_at {
            ended.insert(*id, at);
        }
    }
    ended
}

fn heard_of(mut delays: Vec<Duration>) -> Heard {
    delays.sort();
    Heard {
        ends: delays.len(),
        p50_ms: percentile(&delays, 0.5),
        p99_ms: percentile(&delays, 0.99),
    }
}
