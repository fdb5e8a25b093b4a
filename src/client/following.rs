//! Following a story live: server-sent events, taken up again where a stream was cut, and polls where there are none.
//! `follow`, `wait` and `submit` show what is heard. What must stay true: nothing is heard twice, and the end of the story is
//! found whatever becomes of the stream.

use std::pin::pin;
use std::time::{Duration, Instant};

use api::view::{EventView, StageView, StateView, StoryView};
use eventsource_stream::Eventsource as _;
use futures_util::stream::{Stream, StreamExt as _, unfold};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Client, Error};

/// A story may wait in a queue for long.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The service says every ten seconds that it is there: what is silent for longer is dead, or somebody holds the events back.
const SILENCE: Duration = Duration::from_secs(30);
/// For so long nobody need answer: a service that is started anew takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before something is tried again, the first time and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One thing that happened to a story.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Its number; none if it was not told but found by looking.
    pub id: Option<u32>,
    /// What it was.
    #[serde(flatten)]
    pub what: EventView,
}

/// How a stream came to its end.
enum Heard {
    /// With the story's.
    End(Box<StoryView>),
    /// It was cut, or had said everything before.
    Cut,
    /// There is no stream to be had.
    Nothing,
}

/// Nothing comes, though it would be said every few seconds that there is nothing.
struct Silent;

/// How long it is put up with that nobody answers.
#[derive(Debug)]
pub(super) struct Patience {
    pause: Duration,
    since: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            pause: FIRST_PAUSE,
            since: None,
        }
    }
}

impl Patience {
    /// Somebody has answered.
    pub(super) fn renew(&mut self) {
        *self = Patience::default();
    }

    /// Waits a little after an error that may pass, longer each time.
    ///
    /// # Errors
    /// The error itself, if it will not pass or has not for too long.
    pub(super) async fn bear(&mut self, error: Error) -> Result<(), Error> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if !error.may_pass() || since.elapsed() >= PATIENCE {
            return Err(error);
        }
        self.pause().await;
        Ok(())
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Client {
    /// Follows a story to its end; tells `hear` everything that happens, the end included. Answers with the job as it ended.
    ///
    /// # Errors
    /// When there is no such job, or nobody answers for half a minute.
    pub async fn follow(&self, id: Uuid, mut hear: impl FnMut(&Event)) -> Result<StoryView, Error> {
        let mut last = None;
        let mut patience = Patience::default();
        loop {
            let before = last;
            match self.listen(id, &mut last, &mut hear).await {
                Ok(Heard::End(job)) => return Ok(*job),
                Ok(Heard::Cut) => {}
                Ok(Heard::Nothing) => return self.poll(id, &mut hear).await,
                Err(error) if error.may_pass() => {
                    patience.bear(error).await?;
                    continue;
                }
                // perhaps only the stream is not to be had; if there is no such story, polling says so
                Err(_) => return self.poll(id, &mut hear).await,
            }
            if last != before {
                patience.renew();
            }
            match self.job(id, Duration::ZERO).await {
                Ok(job) if job.state.is_final() => {
                    ended(&job, &mut hear);
                    return Ok(job);
                }
                // a service that stops cuts its streams, and the next one goes on
                Ok(_) => patience.pause().await,
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// One stream, until it ends.
    async fn listen(
        &self,
        id: Uuid,
        last: &mut Option<u32>,
        hear: &mut impl FnMut(&Event),
    ) -> Result<Heard, Error> {
        let request = self.story(Method::GET, id, &["events"]).timeout(LONGEST);
        let mut request = request.header(ACCEPT, "text/event-stream");
        if let Some(last) = *last {
            request = request.header("last-event-id", last);
        }
        let Ok(answer) = timeout(SILENCE, request.send()).await else {
            return Ok(Heard::Nothing);
        };
        let answer = answer.map_err(|cause| self.unreachable(cause))?;
        let status = answer.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(Heard::Cut);
        }
        if !status.is_success() {
            let text = answer.text().await;
            let text = text.map_err(|cause| self.unreachable(cause))?;
            return Err(self.refusal(status.as_u16(), &text));
        }
        let kind = answer.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return Ok(Heard::Nothing);
        }
        let mut events = pin!(pieces(answer).eventsource());
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                // silence, or what is no event
                Err(_) => return Ok(Heard::Nothing),
            };
            // what cannot be read is of another version; an end of that kind is looked at afterwards
            if let Some(Ok(what)) = EventView::read(&event.event, &event.data) {
                let id = event.id.parse().ok();
                *last = id.or(*last);
                let event = Event { id, what };
                hear(&event);
                if let EventView::End(job) = event.what {
                    return Ok(Heard::End(job));
                }
            }
        }
        Ok(Heard::Cut)
    }

    /// Looks again and again, and tells what has changed.
    async fn poll(&self, id: Uuid, hear: &mut impl FnMut(&Event)) -> Result<StoryView, Error> {
        let mut before: Option<StoryView> = None;
        let look = |job: &StoryView| {
            for what in changes(before.as_ref(), job) {
                hear(&Event { id: None, what });
            }
            before = Some(job.clone());
        };
        let job = self.finished(id, look).await?;
        ended(&job, hear);
        Ok(job)
    }
}

/// What comes, until it ends or is cut; after silence, that and nothing more.
fn pieces(answer: Response) -> impl Stream<Item = Result<impl AsRef<[u8]>, Silent>> {
    unfold(Some(answer), |answer| async {
        let mut answer = answer?;
        match timeout(SILENCE, answer.chunk()).await {
            Ok(piece) => Some((Ok(piece.ok()??), Some(answer))),
            Err(_) => Some((Err(Silent), None)),
        }
    })
}

fn ended(job: &StoryView, hear: &mut impl FnMut(&Event)) {
    let what = EventView::End(Box::new(job.clone()));
    hear(&Event { id: None, what });
}

/// What has happened between two looks.
fn changes(before: Option<&StoryView>, now: &StoryView) -> Vec<EventView> {
    let mut changes = Vec::new();
    let place = |job: &StoryView| (job.state, job.position, job.attempts);
    if before.map(place) != Some(place(now)) {
        let times = [now.finished_at, now.started_at];
        changes.push(EventView::State(StateView {
            state: now.state,
            at: times.into_iter().flatten().next().unwrap_or(now.created_at),
            position: now.position,
            eta_seconds: now.eta_seconds,
        }));
    }
    let stage = |job: &StoryView| {
        let (done, of) = job.progress.as_ref().map_or((0, 0), |p| (p.done, p.of));
        let stage = job.stage.clone()?;
        Some(StageView { stage, done, of })
    };
    if let Some(stage) = stage(now).filter(|now| before.and_then(stage).as_ref() != Some(now)) {
        changes.push(EventView::Progress(stage));
    }
    changes
}

#[cfg(test)]
mod tests;
