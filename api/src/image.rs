//! `GET /v1/stories/{id}/image`: the picture of a story as it is kept, whole or a range of it.
//! `routes.rs` leads here. What must stay true: a kept picture never changes, so its tag is strong and a range of it fits the
//! rest of it; no more of it is held in memory than a piece; and no cache but the caller's own keeps what may be taken back.

use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    EntityTag, IF_RANGE, IfRange, RANGE, Range,
};
use actix_web::web::{Data, Path};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::{Buf as _, Bytes};
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use utoipa::ToSchema;

use crate::error::{Error, Problem, Result};
use crate::etag;
use crate::seen::{find, known_id};
use crate::service::Service;

/// A stored picture never changes, but it can be removed: no cache but the caller's own keeps it, and that one asks each time
/// whether it still may.
const OF_A_PICTURE: &str = "private, no-cache";

/// How much of a picture is wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole of it.
    All,
    /// From this byte to that one.
    Part(u64, u64),
    /// Bytes that are not there.
    Nothing,
}

/// A picture, as its file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(
    dead_code,
    reason = "describes the picture to readers of the OpenAPI document"
)]
struct PictureFile(Vec<u8>);

/// The picture of a story as it is kept: upright, without metadata.
#[utoipa::path(get, path = "/v1/stories/{id}/image", tag = "stories",
    params(
        ("id" = Uuid, Path, description = "The job's id"),
        ("Range" = Option<String>, Header, description = "One range of bytes", example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of the picture of which you have the rest"),
    ),
    responses(
        (status = 200, description = "The picture", content((PictureFile = "image/jpeg"), (PictureFile = "image/png"), (PictureFile = "image/webp"), (PictureFile = "image/gif"))),
        (status = 206, description = "The range that was asked for", content((PictureFile = "image/jpeg"), (PictureFile = "image/png"), (PictureFile = "image/webp"), (PictureFile = "image/gif")),
            headers(("Content-Range" = String, description = "Which bytes these are, and of how many"))),
        (status = 304, description = "Still the picture you have"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "`data_removed`", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "`range_not_satisfiable`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn image(
    request: HttpRequest,
    id: Path<String>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let job = find(&service, known_id(&id)?).await?;
    let kept = job.image.filter(|_| job.data_removed_at.is_none());
    let image = kept.ok_or_else(Error::removed)?;
    let tag = EntityTag::new_strong(image.sha256);
    if etag::matches(etag::known(&request).as_ref(), &tag) {
        return Ok(etag::unchanged(&tag, OF_A_PICTURE));
    }
    let reading = service.state.images.open(&image.key).await?;
    let described = |answer: &mut HttpResponseBuilder| {
        answer
            .insert_header((CONTENT_TYPE, image.media_type.as_str()))
            .insert_header((CONTENT_DISPOSITION, "inline"))
            .insert_header((CACHE_CONTROL, OF_A_PICTURE))
            .insert_header((ACCEPT_RANGES, "bytes"))
            .insert_header((ETAG, tag.to_string()));
    };
    match wanted(&request, reading.bytes, &tag) {
        Wanted::All => {
            let mut answer = HttpResponse::Ok();
            described(&mut answer);
            Ok(answer.body(SizedStream::new(reading.bytes, reading.chunks)))
        }
        Wanted::Part(from, to) => {
            let mut answer = HttpResponse::PartialContent();
            described(&mut answer);
            let range = format!("bytes {from}-{to}/{}", reading.bytes);
            answer.insert_header((CONTENT_RANGE, range));
            let length = to + 1 - from;
            let bytes = part(reading.chunks, from, length);
            Ok(answer.body(SizedStream::new(length, bytes.boxed())))
        }
        Wanted::Nothing => Err(Error::Range {
            bytes: reading.bytes,
        }),
    }
}

/// How much of a picture of so many bytes is wanted.
/// Several ranges, other units and a range of another version are answered with everything, as RFC 9110 allows.
pub fn wanted(request: &HttpRequest, bytes: u64, tag: &EntityTag) -> Wanted {
    let headers = request.headers();
    if !headers.contains_key(RANGE) {
        return Wanted::All;
    }
    if headers.contains_key(IF_RANGE) {
        match request.get_header::<IfRange>() {
            Some(IfRange::EntityTag(known)) if known.strong_eq(tag) => {}
            _ => return Wanted::All,
        }
    }
    let Some(Range::Bytes(ranges)) = request.get_header::<Range>() else {
        return Wanted::All;
    };
    let [range] = ranges.as_slice() else {
        return Wanted::All;
    };
    range
        .to_satisfiable_range(bytes)
        .map_or(Wanted::Nothing, |(from, to)| Wanted::Part(from, to))
}

/// `length` bytes from `from` on. What comes after them is not read.
fn part<E: 'static>(
    chunks: BoxStream<'static, std::result::Result<Bytes, E>>,
    from: u64,
    length: u64,
) -> impl Stream<Item = std::result::Result<Bytes, E>> {
    stream::unfold(
        (chunks, from, length),
        |(mut chunks, mut skip, left)| async move {
            if left == 0 {
                return None;
            }
            loop {
                let mut chunk = match chunks.next().await? {
                    Ok(chunk) => chunk,
                    Err(broken) => return Some((Err(broken), (chunks, 0, 0))),
                };
                let skipped =
                    usize::try_from(skip).map_or(chunk.len(), |skip| skip.min(chunk.len()));
                chunk.advance(skipped);
                skip -= skipped as u64;
                if !chunk.is_empty() {
                    chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - chunk.len() as u64;
                    return Some((Ok(chunk), (chunks, 0, left)));
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn asked(headers: &[(&str, &str)]) -> Wanted {
        let plain = TestRequest::default();
        let request = headers
            .iter()
            .fold(plain, |request, header| request.insert_header(*header));
        let tag = EntityTag::new_strong("a".to_owned());
        wanted(&request.to_http_request(), 100, &tag)
    }

    #[test]
    fn one_range_of_this_version_is_answered_with_it_and_everything_else_with_everything() {
        assert_eq!(asked(&[("range", "bytes=0-9")]), Wanted::Part(0, 9));
        assert_eq!(asked(&[("range", "bytes=90-")]), Wanted::Part(90, 99));
        assert_eq!(asked(&[("range", "bytes=90-200")]), Wanted::Part(90, 99));
        assert_eq!(asked(&[("range", "bytes=-10")]), Wanted::Part(90, 99));
        assert_eq!(asked(&[("range", "bytes=100-")]), Wanted::Nothing);
        for all in ["bytes=0-1,5-6", "lines=1-2", "bytes", "bytes=9-1"] {
            assert_eq!(asked(&[("range", all)]), Wanted::All, "{all}");
        }
        let this = [("range", "bytes=0-9"), ("if-range", "\"a\"")];
        assert_eq!(asked(&this), Wanted::Part(0, 9));
        for other in ["\"b\"", "W/\"a\"", "Thu, 26 Nov 2026 10:00:00 GMT"] {
            let other = [("range", "bytes=0-9"), ("if-range", other)];
            assert_eq!(asked(&other), Wanted::All);
        }
    }

    #[tokio::test]
    async fn a_part_is_cut_out_of_whatever_pieces_the_store_has() {
        let text = b"once upon a time";
        for piece in [1, 3, 16] {
            for (from, length) in [(0, 16), (0, 1), (5, 4), (15, 1)] {
                let pieces: Vec<std::result::Result<Bytes, ()>> = text
                    .chunks(piece)
                    .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                    .collect();
                let cut = part(stream::iter(pieces).boxed(), from, length);
                let cut: Vec<u8> = cut
                    .flat_map(|piece| stream::iter(piece.expect("no store to fail")))
                    .collect()
                    .await;
                let (from, length) = (from as usize, length as usize);
                assert_eq!(cut, text[from..from + length], "{piece} {from} {length}");
            }
        }
    }
}
