//! Any bytes as the body of a submit: a form or JSON, in pieces of any size.
//! What must stay true: what is read does not depend on how the network cut it, stays within its limits, and has no text that the
//! database cannot keep.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;
use actix_web::{FromRequest as _, dev, web};
use api::Error;
use api::error::Kind;
use api::reading::{FileField, FormBody, request_of};
use bytes::Bytes;
use futures_util::stream;
use tokio::runtime::{Builder, Runtime};

/// Small, so that a fuzzer comes to them.
const LARGEST_FILE: usize = 512;
const LONGEST_TEXT: usize = 16 * 1024;

thread_local! {
    // readers give up on a sender who stalls, so they need a clock
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
}

/// The first byte says which of the two it is and whether the form has one file or three, the second how large the pieces are.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    let [kind, piece, body @ ..] = bytes else {
        return;
    };
    let (json, count) = (kind & 1 == 1, if kind & 2 == 2 { 3 } else { 1 });
    let read =
        |piece: usize| RUNTIME.with(|runtime| runtime.block_on(form(body, piece, (json, count))));
    let (whole, pieces) = (read(body.len().max(1)), read(usize::from(*piece).max(1)));
    match (&whole, &pieces) {
        (Ok(one), Ok(other)) => {
            assert_eq!(shown(one), shown(other), "the pieces make a difference");
        }
        (Err(one), Err(other)) => assert_eq!(one.kind(), other.kind(), "{one} / {other}"),
        (one, other) => panic!("whole {one:?}, in pieces {other:?}"),
    }
    match whole {
        Ok(form) => is_within_its_limits(form, count),
        Err(error) => assert_ne!(error.kind(), Kind::Internal, "{error}"),
    }
}

async fn form(body: &[u8], piece: usize, (json, count): (bool, usize)) -> Result<FormBody, Error> {
    let media = if json {
        "application/json"
    } else {
        "multipart/form-data; boundary=b"
    };
    let request = TestRequest::post().insert_header((CONTENT_TYPE, media));
    let request = request.to_http_request();
    let pieces: Vec<Result<Bytes, PayloadError>> = body
        .chunks(piece)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let mut payload: dev::Payload = dev::Payload::Stream {
        payload: Box::pin(stream::iter(pieces)),
    };
    let payload = web::Payload::from_request(&request, &mut payload).await;
    let file = FileField {
        name: "image",
        most: LARGEST_FILE,
        count,
        together: LARGEST_FILE * count,
        too_large: |most| Error::Refused(Kind::ImageTooLarge, format!("more than {most} bytes")),
        time: Duration::from_secs(60),
    };
    FormBody::read(&request, payload.expect("there is a body"), file).await
}

fn shown(form: &FormBody) -> String {
    format!("{form:?}")
}

fn is_within_its_limits(form: FormBody, count: usize) {
    assert!(form.files.len() <= count && form.fields.len() <= 64);
    for file in form.files.iter().flatten() {
        assert!(file.len() <= LARGEST_FILE);
    }
    for (name, value) in &form.fields {
        assert!(name.len() <= 64, "{name}");
        let text = value.as_str().unwrap_or_default();
        assert!(!text.contains('\0') && text.len() <= LONGEST_TEXT.max(256 * 1024));
    }
    match request_of(form.fields) {
        Ok(request) => request.validate().expect("what is read is valid"),
        Err(error) => assert_ne!(error.kind(), Kind::Internal, "{error}"),
    }
}
