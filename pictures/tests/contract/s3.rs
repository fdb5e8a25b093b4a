//! What only S3 promises: signed addresses, and sense when its server is slow, killed, misnamed or speaks no sense.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{Credentials, Region};
use bytes::Bytes;
use pictures::images::{Announced, S3Keys, S3Settings, SignedUrl};
use pictures::{Error, Images, S3};
use uuid::Uuid;

use crate::images::key;

use testkit::eventually;
use testkit::seaweedfs::{self, Weed};

const MINUTE: Duration = Duration::from_secs(60);

fn name() -> String {
    key(Uuid::now_v7(), "image/jpeg")
}

async fn ask(signed: &SignedUrl, body: &'static [u8]) -> (u16, Bytes) {
    let method = signed.method.parse().unwrap();
    let request = reqwest::Client::new()
        .request(method, &signed.url)
        .body(body);
    let request = signed
        .headers
        .iter()
        .fold(request, |request, (name, value)| {
            request.header(name, value)
        });
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap())
}

#[tokio::test]
async fn a_signed_address_takes_the_announced_picture_once_and_for_a_while() {
    let images = seaweedfs::bucket().await;
    let key = name();
    let announced = Announced {
        media_type: "image/jpeg",
        bytes: 5,
    };
    let signed = images.upload_url(&key, announced, MINUTE);
    let signed = signed.await.unwrap().unwrap();
    for header in ["content-length", "content-type", "if-none-match"] {
        let told = signed.headers.iter().any(|(name, _)| name == header);
        assert!(told, "{header}: {signed:?}");
        assert!(signed.url.contains(header), "{header}: {signed:?}");
    }
    let without = |header: &str| {
        let mut less = signed.clone();
        less.headers.retain(|(name, _)| name != header);
        less
    };
    for body in [&b"longer"[..], b"less"] {
        let unannounced = ask(&without("content-length"), body).await;
        assert_eq!(unannounced.0, 403, "{} bytes", body.len());
    }
    for header in ["content-type", "if-none-match"] {
        let answer = ask(&without(header), b"first").await;
        assert_eq!(answer.0, 403, "{header} is part of what is signed");
    }
    let elsewhere = SignedUrl {
        url: signed.url.replace(&key, &name()),
        ..signed.clone()
    };
    assert_eq!(ask(&elsewhere, b"first").await.0, 403);
    assert_eq!(ask(&signed, b"first").await.0, 200);
    assert_eq!(ask(&signed, b"other").await.0, 412);
    assert_eq!(images.get(&key).await.unwrap(), "first");

    let brief = images.upload_url(&key, announced, Duration::from_secs(1));
    let brief = brief.await.unwrap().unwrap();
    eventually("the address expires", async || {
        (ask(&brief, b"first").await.0 == 403).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_kept_survives_a_killed_server_and_meanwhile_the_store_is_unavailable() {
    let mut server = Weed::start();
    let images = seaweedfs::bucket_at(seaweedfs::settings(&server.endpoint())).await;
    let key = name();
    images.put(&key, Bytes::from_static(b"kept")).await.unwrap();
    server.kill();
    let begun = Instant::now();
    for error in [
        images.ping().await.unwrap_err(),
        images.get(&key).await.unwrap_err(),
        images
            .put(&name(), Bytes::from_static(b"x"))
            .await
            .unwrap_err(),
        images.delete(&key).await.unwrap_err(),
        images.list("", None).await.unwrap_err(),
    ] {
        assert!(error.is_unavailable(), "{error}");
        assert!(
            error.to_string().contains("see that the server runs"),
            "{error}"
        );
    }
    assert!(
        begun.elapsed() < MINUTE / 2,
        "it takes {:?} to notice",
        begun.elapsed()
    );
    server.start_again();
    eventually("the server is up again", async || images.ping().await.ok()).await;
    eventually("its pictures are there again", async || {
        images.get(&key).await.ok()
    })
    .await;
    assert_eq!(images.get(&key).await.unwrap(), "kept");
    images
        .put(&key, Bytes::from_static(b"other"))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_server_that_is_killed_while_many_write_loses_nothing_it_has_confirmed() {
    let mut server = Weed::start();
    let images = seaweedfs::bucket_at(seaweedfs::settings(&server.endpoint())).await;
    let written = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..8u8)
        .map(|number| {
            let (images, written) = (images.clone(), Arc::clone(&written));
            tokio::spawn(async move {
                let mut confirmed = Vec::new();
                loop {
                    let key = name();
                    match images.put(&key, Bytes::from(vec![number; 50_000])).await {
                        Ok(()) => {
                            confirmed.push(key);
                            written.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) if error.is_unavailable() => return (number, confirmed),
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    eventually("they are in the middle of it", async || {
        (written.load(Ordering::Relaxed) > 40).then_some(())
    })
    .await;
    server.kill();
    let mut confirmed = Vec::new();
    for writer in writers {
        confirmed.push(writer.await.unwrap());
    }
    server.start_again();
    eventually("the server is up again", async || {
        images
            .list("", None)
            .await
            .ok()
            .filter(|page| !page.is_empty())
    })
    .await;
    let mut kept = 0;
    for (number, keys) in confirmed {
        for key in keys {
            let bytes = eventually("the picture is there again", async || {
                images.get(&key).await.ok()
            })
            .await;
            assert!(bytes == vec![number; 50_000]);
            kept += 1;
        }
    }
    assert!(kept > 0);
}

#[tokio::test]
async fn a_server_that_has_stopped_answering_is_unavailable_within_seconds() {
    let server = Weed::start();
    let images = seaweedfs::bucket_at(seaweedfs::settings(&server.endpoint())).await;
    server.signal("-STOP");
    let begun = Instant::now();
    assert!(images.ping().await.unwrap_err().is_unavailable());
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{:?}",
        begun.elapsed()
    );
    server.signal("-CONT");
    eventually("it answers again", async || images.ping().await.ok()).await;
}

#[tokio::test]
async fn a_wrong_bucket_or_key_is_said_in_words_and_no_picture_counts_as_missing() {
    let endpoint = seaweedfs::endpoint().await;
    let right = seaweedfs::settings(&endpoint);
    seaweedfs::bucket_at(right.clone()).await;
    let nowhere = S3::open(S3Settings {
        bucket: "nobody-made-this".to_owned(),
        ..right.clone()
    })
    .unwrap();
    for error in [
        nowhere.get(&name()).await.unwrap_err(),
        nowhere
            .put(&name(), Bytes::from_static(b"x"))
            .await
            .unwrap_err(),
        nowhere.ping().await.unwrap_err(),
    ] {
        assert!(error.is_unavailable(), "{error}");
        let said = error.to_string();
        assert!(
            said.contains("`nobody-made-this`") && said.contains("S3_BUCKET"),
            "{said}"
        );
    }
    let [access_key, _] = seaweedfs::keys();
    let stranger = S3::open(S3Settings {
        keys: S3Keys::Given {
            access_key,
            secret_key: "guessed".to_owned(),
            session_token: None,
        },
        ..right
    })
    .unwrap();
    let error = stranger.get(&name()).await.unwrap_err();
    assert!(
        error.is_unavailable() && error.to_string().contains("AWS_SECRET_ACCESS_KEY"),
        "{error}"
    );
}

#[tokio::test]
async fn parts_of_our_pictures_whose_sender_died_are_removed_and_strangers_parts_are_not() {
    let endpoint = seaweedfs::endpoint().await;
    let settings = seaweedfs::settings(&endpoint);
    let images = seaweedfs::bucket_at(settings.clone()).await;
    let [access_key, secret_key] = seaweedfs::keys();
    let keys = Credentials::new(access_key, secret_key, None, None, "tests");
    let config = aws_sdk_s3::Config::builder()
        .credentials_provider(keys)
        .region(Region::new(settings.region))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let other = aws_sdk_s3::Client::from_conf(config.build());
    let ours = name();
    // as the names of one deployment's pictures begin alike
    let beginning = ours[..8].to_owned();
    for key in [ours, "backup.tar".to_owned()] {
        let begun = other
            .create_multipart_upload()
            .bucket(&settings.bucket)
            .key(key);
        begun.send().await.unwrap();
    }
    let young = images.clear_unfinished(&beginning, MINUTE);
    assert_eq!(young.await.unwrap(), 0);
    // clocks of stores count in seconds
    let cleared = eventually("it is old enough", async || {
        let cleared = images.clear_unfinished(&beginning, Duration::from_millis(1));
        Some(cleared.await.unwrap()).filter(|&cleared| cleared > 0)
    })
    .await;
    assert_eq!(cleared, 1);
    let left = other
        .list_multipart_uploads()
        .bucket(&settings.bucket)
        .send()
        .await
        .unwrap();
    assert_eq!(left.uploads().len(), 1);
    assert_eq!(left.uploads()[0].key(), Some("backup.tar"));
}

/// A server that promises 1000 bytes of a picture, sends ten and hangs up.
fn liar() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 8192];
            let _ = std::io::Read::read(&mut connection, &mut request);
            let _ =
                connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789");
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_picture_that_ends_in_the_middle_is_no_picture() {
    let images = S3::open(seaweedfs::settings(&liar())).unwrap();
    let error = images.get(&name()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(
        error.to_string().contains("ends 990 bytes early"),
        "{error}"
    );
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_starts() {
    for endpoint in ["", "localhost:8333", "ftp://host"] {
        let error = S3::open(seaweedfs::settings(endpoint)).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Setting {
                    setting: "S3_ENDPOINT",
                    ..
                }
            ),
            "{error}"
        );
    }
}
