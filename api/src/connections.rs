//! A connection between two of its requests and in its answers: how long the next may take to arrive, and to be read.
//! `lib.rs` serves on [`Connection`]s, `requests::around` says which request is [`UnderWay`] on one. What must stay true:
//! actix gives a time to the headers of a connection's first request, and to silence after an answer; here nobody holds
//! a connection by later headers that dribble in, by the rest of a body that nobody wants, or by an answer that he does not read.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::sites;

/// A stream that ends when what comes next takes too long.
pub(crate) struct Connection {
    stream: TcpStream,
    turns: Rc<Turns>,
    patience: Duration,
    /// Made once, set anew for each pause; it wakes whoever reads.
    alarm: Option<Pin<Box<Sleep>>>,
    /// How long nothing of an answer may be taken.
    answer_patience: Duration,
    /// Runs while nothing is.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Who has the word on a connection. Its thread is that of one of actix's workers.
#[derive(Default)]
pub(crate) struct Turns {
    under_way: Cell<usize>,
    /// When the last answer ended; none before the first.
    answered: Cell<Option<Instant>>,
}

impl Turns {
    /// Since when the connection waits for its next request; none while there is one, and before the first, for which actix
    /// has a time.
    fn waiting_since(&self) -> Option<Instant> {
        self.answered.get().filter(|_| self.under_way.get() == 0)
    }
}

impl Connection {
    /// Gives each request but the first so long from the end of the answer before until its headers are there, and each part of
    /// an answer so long to be taken.
    pub(crate) fn new(stream: TcpStream, patience: Duration, answer_patience: Duration) -> Self {
        Connection {
            stream,
            turns: Rc::default(),
            patience,
            alarm: None,
            answer_patience,
            stalled: None,
        }
    }

    /// Notes for every request of the connection on which one it came.
    pub(crate) fn note(&self, notes: &mut Extensions) {
        sites::note_address(&self.stream, notes);
        notes.insert(Rc::clone(&self.turns));
    }

    /// Whether the time of the next request is over; whoever reads is woken when it is.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let Some(since) = self.turns.waiting_since() else {
            return false;
        };
        let end = since + self.patience;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if alarm.deadline() != end {
            alarm.as_mut().reset(end);
        }
        alarm.as_mut().poll(context).is_ready()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_over(context) {
            // nothing more is read: actix sends what is still to be sent, and closes
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        if written.is_ready() {
            this.stalled = None;
            return written;
        }
        let patience = this.answer_patience;
        let stalled = this
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        let over = stalled.as_mut().poll(context);
        over.map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A request from its headers to the end of its answer. Dropping it ends it.
pub(crate) struct UnderWay(Option<Rc<Turns>>);

impl UnderWay {
    /// Begins; a request that came on no connection holds none.
    pub(crate) fn on(turns: Option<&Rc<Turns>>) -> Self {
        let turns = turns.map(Rc::clone);
        if let Some(turns) = &turns {
            turns.under_way.set(turns.under_way.get() + 1);
        }
        UnderWay(turns)
    }

    /// Ends with this body.
    pub(crate) fn until_the_end_of(self, body: BoxBody) -> BoxBody {
        let _under_way = self;
        BoxBody::new(Answer { body, _under_way })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(turns) = &self.0 {
            turns.under_way.set(turns.under_way.get() - 1);
            turns.answered.set(Some(Instant::now()));
        }
    }
}

/// A body with the request that it answers.
struct Answer {
    body: BoxBody,
    _under_way: UnderWay,
}

impl MessageBody for Answer {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
