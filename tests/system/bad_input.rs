//! What people send by mistake or on purpose: each gets a clear problem, and the jobs beside it are unharmed.

use reqwest::multipart::{Form, Part};
use scripted::ScriptedEngine;

use crate::harness::{Answer, Service, small_picture};
use testkit::photos::{self, photo};

/// A service with one good job sent before the mistakes, which must succeed in spite of them.
async fn with_a_neighbour() -> (Service, String) {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let neighbour = service.accepted(&small_picture(1), &[]).await;
    (service, neighbour)
}

#[track_caller]
fn is_problem(answer: &Answer, status: u16, kind: &str) -> String {
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{body}"
    );
    let problem = answer.json();
    let told = problem["type"].as_str().unwrap();
    assert!(told.ends_with(kind), "{told} instead of {kind}");
    assert_eq!(problem["status"], status);
    let detail = problem["detail"].as_str().unwrap().to_owned();
    assert!(detail.len() > 20, "says too little: {detail}");
    detail
}

async fn the_neighbour_is_unharmed(service: Service, neighbour: String) {
    let job = service.finished(&neighbour).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_are_none_are_refused_and_harm_nobody() {
    let (service, neighbour) = with_a_neighbour().await;
    let whole = photo("cat.jpg");
    let truncated = &whole[..whole.len() / 3];
    is_problem(
        &service.submit(truncated, &[]).await,
        422,
        "image_unreadable",
    );
    is_problem(
        &service
            .submit(b"Dear diary, today I was named .jpg", &[])
            .await,
        422,
        "image_unreadable",
    );
    is_problem(&service.submit(b"", &[]).await, 422, "image_unreadable");
    the_neighbour_is_unharmed(service, neighbour).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_png_claiming_sixty_thousand_pixels_a_side_is_refused_by_its_header() {
    let (service, neighbour) = with_a_neighbour().await;
    let detail = is_problem(
        &service.submit(&boastful_png(), &[]).await,
        413,
        "image_too_large",
    );
    assert!(detail.contains("60000"), "{detail}");
    the_neighbour_is_unharmed(service, neighbour).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_unpack_to_very_much_are_refused_and_harm_nobody() {
    let (service, neighbour) = with_a_neighbour().await;
    for (bomb, status, kind) in [
        (
            photos::boastful_jpeg(65_500, 65_500),
            413,
            "image_too_large",
        ),
        (photos::boastful_gif(65_535, 65_535), 413, "image_too_large"),
        (
            photos::boastful_webp(16_384, 16_384),
            413,
            "image_too_large",
        ),
        (photos::gif_of_frames(20_000), 422, "image_animated"),
        (photos::jpeg_of_scans(5000), 422, "image_unreadable"),
    ] {
        is_problem(&service.submit(&bomb, &[]).await, status, kind);
    }
    the_neighbour_is_unharmed(service, neighbour).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_where_a_photo_was_taken_is_gone_from_what_is_kept() {
    let (service, neighbour) = with_a_neighbour().await;
    let sent = photos::located_jpeg();
    let speaks = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    assert!(speaks(&sent, b"Exif") && speaks(&sent, b"GPSLatitude"));
    let id = service.accepted(&sent, &[]).await;
    let kept = service.get(&format!("/v1/stories/{id}/image")).await;
    assert_eq!((kept.status, &kept.body[..]), (200, &photos::jpeg()[..]));
    for word in [&b"Exif"[..], b"GPS", b"xmpmeta", b"N\0\0\0\0\x02\0\x05"] {
        assert!(!speaks(&kept.body, word), "{word:?} is still there");
    }
    the_neighbour_is_unharmed(service, neighbour).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_style_is_refused_with_the_known_ones() {
    let (service, neighbour) = with_a_neighbour().await;
    let answer = service
        .submit(&small_picture(2), &[("style", "romanse")])
        .await;
    let detail = is_problem(&answer, 422, "unknown_style");
    assert!(
        detail.contains("romanse") && detail.contains("romance"),
        "{detail}"
    );
    the_neighbour_is_unharmed(service, neighbour).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_picture_and_a_wrong_number_are_named() {
    let (service, neighbour) = with_a_neighbour().await;
    let answer = service
        .post_form(Form::new().text("style", "romance"))
        .await;
    let detail = is_problem(&answer, 422, "invalid_parameter");
    assert!(detail.contains("image"), "{detail}");
    let answer = service
        .submit(&small_picture(3), &[("beam_width", "5000")])
        .await;
    let detail = is_problem(&answer, 422, "invalid_parameter");
    assert!(detail.contains("beam_width"), "{detail}");
    let unknown = Form::new()
        .part("image", Part::bytes(small_picture(4)))
        .text("stile", "romance");
    let detail = is_problem(&service.post_form(unknown).await, 422, "invalid_parameter");
    assert!(detail.contains("stile"), "{detail}");
    the_neighbour_is_unharmed(service, neighbour).await;
}

/// A PNG that is whole and claims 60000×60000 pixels; its data would never fill them.
fn boastful_png() -> Vec<u8> {
    let side = 60_000u32.to_be_bytes();
    let header = [&side[..], &side[..], &[8, 2, 0, 0, 0]].concat();
    // an empty zlib stream
    let nothing = [0x78, 0x9c, 0x03, 0, 0, 0, 0, 1];
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &nothing),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    let named = [&kind[..], data].concat();
    let sum = crc32(&named).to_be_bytes();
    [&length[..], &named, &sum].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}
