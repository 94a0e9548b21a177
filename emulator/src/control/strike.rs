//! Carries out what a fault rule says about one request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use hyper::body::{Body, Frame, SizeHint};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use super::answer::{Answer, ApiError, usual_code};
use crate::faults::{Action, RetryAfter};
use crate::state::operation::Trouble;

/// How a request ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// With an answer.
    Answer(Answer),
    /// With the first half of an answer.
    Half(Answer),
    /// With an answer that comes over this time.
    Slow(Answer, Duration),
    /// With a FIN and no answer.
    Close,
    /// With an RST and no answer.
    Reset,
    /// Not at all, until the rule is gone.
    Hang,
}

/// Whether the request is carried out before `action` strikes, in any phase.
pub(crate) fn needs_answer(action: &Action) -> bool {
    matches!(action, Action::Truncate {} | Action::Slow { .. }) || trouble(action).is_some()
}

/// What `action` does to the operation that a request begins.
pub(crate) fn trouble(action: &Action) -> Option<Trouble> {
    match action {
        Action::FailOperation {
            error_code,
            message,
        } => Some(Trouble::Fail {
            error_code: error_code
                .clone()
                .unwrap_or_else(|| "INTERNAL_ERROR".to_owned()),
            message: message
                .clone()
                .unwrap_or_else(|| "The operation failed (a fault set on the emulator)".to_owned()),
        }),
        Action::EmptyOperation {} => Some(Trouble::NoResponse),
        Action::StickOperation {} => Some(Trouble::Stuck),
        _ => None,
    }
}

/// What `action` makes of a request; `carried_out` is the answer that the request had, if it was carried out.
pub(crate) fn ending(
    action: Action,
    carried_out: Answer,
    request_id: &str,
    now: Timestamp,
) -> Ending {
    match action {
        Action::Status {
            status,
            retry_after,
            error_code,
            message,
            body,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let answer = status_answer(status, error_code, message, body.as_ref(), request_id);
            Ending::Answer(match retry_after {
                Some(value) => answer.with("retry-after", retry_after_text(value, now)),
                None => answer,
            })
        }
        Action::Garbage { text } => {
            let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>".to_owned();
            let html = text.is_none();
            let kind = if html {
                "text/html; charset=utf-8"
            } else {
                "application/json"
            };
            let body = text.unwrap_or(page).into_bytes();
            let headers = vec![("content-type", kind.to_owned())];
            Ending::Answer(Answer {
                status: StatusCode::OK,
                headers,
                body,
            })
        }
        Action::Truncate {} => Ending::Half(carried_out),
        Action::Slow { ms } => Ending::Slow(carried_out, Duration::from_millis(ms)),
        Action::Hang {} => Ending::Hang,
        Action::Reset {} => Ending::Reset,
        Action::Close {} => Ending::Close,
        // These strike elsewhere, and a request never meets them.
        Action::Latency { .. }
        | Action::Refuse {}
        | Action::ExternalAuthorization { .. }
        | Action::Login { .. }
        | Action::FailOperation { .. }
        | Action::EmptyOperation {}
        | Action::StickOperation {} => Ending::Answer(carried_out),
    }
}

fn status_answer(
    status: StatusCode,
    code: Option<String>,
    message: Option<String>,
    body: Option<&Value>,
    request_id: &str,
) -> Answer {
    match body {
        Some(Value::String(text)) => {
            let headers = vec![("content-type", "text/plain".to_owned())];
            Answer {
                status,
                headers,
                body: text.clone().into_bytes(),
            }
        }
        Some(body) => Answer::json(status, body),
        None => {
            let code = code.unwrap_or_else(|| usual_code(status).to_owned());
            let usual = || {
                format!(
                    "{} (a fault set on the emulator)",
                    status.canonical_reason().unwrap_or("Error")
                )
            };
            ApiError::new(status, &code, message.unwrap_or_else(usual)).answer(request_id)
        }
    }
}

fn retry_after_text(value: RetryAfter, now: Timestamp) -> String {
    match value {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Text(text) => text,
        RetryAfter::Date { date_s } => http_date(
            now.saturating_add(SignedDuration::from_secs(date_s))
                .unwrap_or(Timestamp::MAX),
        ),
    }
}

/// A moment as HTTP writes it.
pub(crate) fn http_date(moment: Timestamp) -> String {
    // Only years that the format has no room for cannot be written.
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&moment)
        .unwrap_or_default()
}

/// A body that is sent whole, piece by piece, or cut off in the middle.
#[derive(Debug)]
pub(crate) struct Payload {
    left: Option<Bytes>,
    trickle: Option<Trickle>,
    whole: bool,
    flushed: bool,
}

/// How a slow body comes.
#[derive(Debug)]
struct Trickle {
    piece: usize,
    pause: Duration,
    next: Pin<Box<Sleep>>,
}

/// Into so many pieces a slow body is cut.
const PIECES: u32 = 10;

/// The answer was cut off on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut off, as a fault rule says")]
pub(crate) struct CutOff;

impl Payload {
    pub(crate) fn whole(body: Vec<u8>) -> Self {
        Self {
            left: Some(body.into()),
            trickle: None,
            whole: true,
            flushed: true,
        }
    }

    /// Comes over this time.
    pub(crate) fn slow(body: Vec<u8>, over: Duration) -> Self {
        let pause = over / PIECES;
        let trickle = Trickle {
            piece: body.len() / PIECES as usize + 1,
            pause,
            next: Box::pin(sleep(pause)),
        };
        Self {
            trickle: Some(trickle),
            ..Self::whole(body)
        }
    }

    pub(crate) fn half(mut body: Vec<u8>) -> Self {
        body.truncate(body.len() / 2);
        Self {
            left: Some(body.into()),
            trickle: None,
            whole: false,
            flushed: false,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let this = &mut *self;
        if let (Some(trickle), Some(left)) = (&mut this.trickle, &mut this.left) {
            ready!(trickle.next.as_mut().poll(context));
            trickle.next.set(sleep(trickle.pause));
            let piece = left.split_to(trickle.piece.min(left.len()));
            if left.is_empty() {
                this.left = None;
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(left) = self.left.take() {
            return Poll::Ready(Some(Ok(Frame::data(left))));
        }
        if self.whole {
            return Poll::Ready(None);
        }
        if self.flushed {
            return Poll::Ready(Some(Err(CutOff)));
        }
        // The connection sends what it has while it waits, so that the half really arrives before the end.
        self.flushed = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.whole && self.left.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.left {
            Some(left) if self.whole => SizeHint::with_exact(left.len() as u64),
            None if self.whole => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
