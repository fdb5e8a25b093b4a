//! `GET /v1/stories/{id}/events`: a story followed live, as server-sent events.
//! `routes.rs` leads here; the news come from the process's one feed. What must stay true: every event has the number that
//! the database gave it, so a caller who comes back, to whichever process, goes on where he was; and a stream ends after
//! `end`, for whoever has that is told with 204 not to come back.

use std::collections::VecDeque;
use std::convert::Infallible;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;
use jobs::{Event, State, What};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::callers::Caller;
use crate::error::{Error, Problem, Result};
use crate::feed::Watch;
use crate::seen::{find, known_id, see};
use crate::service::Service;
use crate::view::{CaptionsView, EventView, SentenceView, StageView, StateView};
use crate::waits::Place;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx and its kin not to keep anything back.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// What a browser waits before it comes back, in milliseconds.
const COME_BACK: &str = "retry: 2000\n\n";
const HEARTBEAT: &[u8] = b": still here\n\n";

/// One event of a stream, in the fields that it has on the wire.
#[derive(ToSchema)]
#[schema(example = json!({"id": "1", "event": "state",
    "data": "{\"state\":\"queued\",\"at\":\"2026-11-23T09:30:00.120Z\",\"position\":2,\"eta_seconds\":57}"}))]
#[expect(
    dead_code,
    reason = "describes the stream to readers of the OpenAPI document; `say` writes it"
)]
pub(crate) struct StreamEvent {
    /// Its number, for `Last-Event-ID`.
    id: String,
    /// `state`, `progress`, `captions`, `sentence` or `end`.
    event: String,
    /// What it says, as JSON.
    data: String,
}

/// Follows a story live. The events are `state` (its state, since when, and while it is queued its place), `progress`
/// (stage, done, of), `captions` (the nearest ones, as soon as they are found), `sentence` (index and text, as soon as it is
/// final: a language model's sentences while they are written, and the lines of its verse; all at once at the end where
/// nothing is final before it, with `count` above 1, prose set in lines, and the networks of 2015) and `end` (the whole job, as
/// `GET /v1/stories/{id}` shows it), after which the stream ends. Another `running` means another attempt: captions and
/// sentences before it are void. A place that moves is told by another `state` of the same id.
#[utoipa::path(get, path = "/v1/stories/{id}/events", tag = "stories",
    params(
        ("id" = Uuid, Path, description = "The job's id"),
        ("Last-Event-ID" = Option<u32>, Header, minimum = 0, maximum = 4294967295_u32, description = "The `id` of the last event you have; the stream goes on after it"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = StreamEvent, content_type = "text/event-stream"),
        (status = 204, description = "You have had the end of it: do not come back"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_parameter`: `Last-Event-ID` is no number", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_waits`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn follow(
    caller: Caller,
    request: HttpRequest,
    id: Path<String>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    let after = last_event(&request)?;
    // a stream that has begun can say nothing of a story that is not there
    find(&service, id).await?;
    let place = match *request.method() {
        Method::HEAD => None,
        _ => caller.waits(&service.waits)?,
    };
    let mut answer = HttpResponse::build(StatusCode::OK);
    answer
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // events that a compressor keeps back come too late
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header((BUFFERING, "no"));
    if *request.method() == Method::HEAD {
        return Ok(answer.finish());
    }
    let mut stream = Stream {
        watch: service.feed.watch(id),
        service,
        caller,
        id,
        after,
        queued: None,
        pending: VecDeque::from([Bytes::from_static(COME_BACK.as_bytes())]),
        over: false,
        _place: place,
    };
    stream.look().await?;
    if stream.over && stream.pending.len() == 1 {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(answer.streaming(stream::unfold(stream, |mut stream| async {
        let next = stream.next().await?;
        Some((Ok::<_, Infallible>(next), stream))
    })))
}

/// The number of the last event that the caller has, 0 if he says none.
///
/// # Errors
/// `invalid_parameter`.
pub fn last_event(request: &HttpRequest) -> Result<u32> {
    let Some(header) = request.headers().get(LAST_EVENT_ID) else {
        return Ok(0);
    };
    let number = header
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| {
        Error::field(
            "Last-Event-ID",
            "`Last-Event-ID` is the `id` of the last event you have, a whole number",
        )
    })
}

/// One caller who follows a story.
struct Stream {
    watch: Watch,
    service: Data<Service>,
    caller: Caller,
    id: Uuid,
    /// The number of the last event that was said.
    after: u32,
    /// While the story is queued: since when, and the place that was said last.
    queued: Option<(DateTime<Utc>, Option<u64>)>,
    pending: VecDeque<Bytes>,
    /// There is nothing to come any more.
    over: bool,
    /// Among the streams of the caller.
    _place: Option<Place>,
}

impl Stream {
    /// What is to be said next; nothing once all is said or the service stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.pending.pop_front() {
                return Some(bytes);
            }
            // whoever has lost his key hears no more
            if self.over || !self.caller.is_still_known(&self.service).await {
                return None;
            }
            let after = self.after;
            let place = self.queued.as_ref().map(|(_, place)| *place);
            tokio::select! {
                () = self.service.shutdown.cancelled() => return None,
                () = tokio::time::sleep(self.service.config.stream_heartbeat) => {
                    return Some(Bytes::from_static(HEARTBEAT));
                }
                news = self.watch.until(|news| {
                    news.standing.last_event > after || place.is_some_and(|place| news.place.is_some() && place != news.place)
                }) => {
                    // a story that is deleted altogether has no more to say
                    let news = news?;
                    if news.standing.last_event > self.after {
                        // the caller comes back and goes on here
                        self.look().await.inspect_err(|cause| tracing::info!(%cause, "a stream is cut")).ok()?;
                    } else {
                        self.moved(news.place).await;
                    }
                }
            }
        }
    }

    /// Says what has happened since the last look.
    async fn look(&mut self) -> Result<()> {
        let happened = self
            .service
            .state
            .store
            .happened(self.id, self.after)
            .await?;
        let Some(happened) = happened else {
            self.over = true;
            return Ok(());
        };
        let last_end = happened
            .events
            .iter()
            .rev()
            .find(|event| event.what == What::End)
            .map(|event| event.number);
        let moved_on = happened
            .events
            .iter()
            .any(|event| matches!(event.what, What::State { .. }));
        if moved_on {
            self.queued = None;
        }
        let last_state = happened
            .events
            .iter()
            .rev()
            .find(|event| matches!(event.what, What::State { .. }));
        let waits = last_state
            .filter(|_| happened.state == State::Queued)
            .map(|event| event.number);
        for event in happened.events {
            let number = event.number;
            match &event.what {
                What::End if Some(number) != last_end || !happened.state.is_final() => {}
                What::End => {
                    let whole = see(&self.service, self.id).await?;
                    self.say(number, &EventView::End(Box::new(whole.view)));
                }
                What::State { at, .. } if waits == Some(number) => {
                    let place = self.service.state.store.position(self.id).await?;
                    self.after = number;
                    self.queued = Some((*at, None));
                    self.moved(place).await;
                }
                _ => self.pass_on(event),
            }
            self.after = number;
        }
        self.over = happened.state.is_final();
        Ok(())
    }

    /// Says the place in the queue, with the state that has it.
    async fn moved(&mut self, place: Option<u64>) {
        let Some((at, said)) = &mut self.queued else {
            return;
        };
        *said = place;
        let at = *at;
        let eta = match place {
            // an estimate is worth no error
            Some(place) => crate::seen::eta(&self.service, place).await.ok().flatten(),
            None => None,
        };
        let state = EventView::State(StateView {
            state: State::Queued,
            at,
            position: place,
            eta_seconds: eta,
        });
        self.say(self.after, &state);
    }

    fn pass_on(&mut self, event: Event) {
        let view = match event.what {
            What::State { state, at } => EventView::State(StateView {
                state,
                at,
                position: None,
                eta_seconds: None,
            }),
            What::Progress(stage) => EventView::Progress(StageView {
                stage: stage.name,
                done: stage.done,
                of: stage.of,
            }),
            What::Captions { captions } => EventView::Captions(CaptionsView::of(&captions)),
            What::Sentence { index, text } => EventView::Sentence(SentenceView { index, text }),
            What::End => return,
        };
        self.say(event.number, &view);
    }

    fn say(&mut self, number: u32, event: &EventView) {
        self.pending.push_back(Bytes::from(event.lines(number)));
    }
}
