//! What `storyteller doctor` says of servers that are well, and of each that is not: real ones all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use jobs::QueueOptions;
use operation::doctor::{
    Finding, State, broker, database, is_well, pictures, write_json, write_lines,
};
use pictures::ImageOptions;
use pictures::images::{DISPUTED, Deployment};
use testkit::{Service, postgres, rabbitmq, seaweedfs};
use uuid::Uuid;

/// The one finding about a part.
fn of<'a>(findings: &'a [Finding], part: &str) -> &'a Finding {
    let mut about = findings.iter().filter(|finding| finding.part == part);
    let one = about.next();
    assert!(about.next().is_none(), "{findings:?}");
    one.unwrap_or_else(|| panic!("nothing about {part} in {findings:?}"))
}

#[track_caller]
fn says(finding: &Finding, state: State, found: &str, todo: &str) {
    assert_eq!(finding.state, state, "{finding:?}");
    assert!(finding.found.contains(found), "{finding:?}");
    let advice = finding.todo.as_deref().unwrap_or_default();
    assert!(advice.contains(todo), "{finding:?}");
    assert_eq!(finding.todo.is_some(), state != State::Ok, "{finding:?}");
}

#[tokio::test]
async fn a_database_that_is_well_is_told_with_its_version_and_its_clock() {
    let service = Service::start().await;
    let looked = database(&service.url).await;
    assert!(is_well(&looked.findings), "{:?}", looked.findings);
    let deployment = service.store.deployment().await.unwrap();
    assert_eq!(looked.deployment, Some(deployment));
    says(
        of(&looked.findings, "postgres"),
        State::Ok,
        "on this machine",
        "",
    );
    says(
        of(&looked.findings, "tables"),
        State::Ok,
        "of this version",
        "",
    );
    says(of(&looked.findings, "clock"), State::Ok, "agree", "");
}

#[tokio::test]
async fn tables_that_are_missing_old_or_newer_are_told_apart() {
    let empty = database(&postgres::fresh().await).await;
    says(
        of(&empty.findings, "tables"),
        State::Wrong,
        "none",
        "storyteller migrate",
    );
    assert!(!is_well(&empty.findings) && empty.deployment.is_none());

    let service = Service::start().await;
    service
        .tamper("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (999999, 'later', true, '', 0)")
        .await;
    let newer = database(&service.url).await;
    says(of(&newer.findings, "tables"), State::Ok, "newer", "");
    service
        .tamper("delete from _sqlx_migrations where version in (select version from _sqlx_migrations order by version desc limit 3)")
        .await;
    let older = database(&service.url).await;
    says(
        of(&older.findings, "tables"),
        State::Wrong,
        "2 migrations",
        "storyteller migrate",
    );
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_what_to_compare_and_not_the_password() {
    let url = postgres::fresh().await;
    let password = url.split_once("://").unwrap().1;
    let password = password.split_once('@').unwrap().0;
    let password = password.split_once(':').unwrap().1;
    let nobody = format!("postgres://me:s3cret-word@{}/x", closed());
    for (url, found, todo) in [
        (
            url.replacen(password, "s3cret-word", 1),
            "password authentication failed",
            "user and password",
        ),
        (
            url.replacen("/test_", "/no_such_", 1),
            "does not exist",
            "createdb",
        ),
        (nobody.clone(), "", "Postgres runs"),
        (format!("{nobody}?sslmode=require"), "", "Postgres runs"),
        ("s3cret-word".to_owned(), "address", "postgres://"),
    ] {
        let looked = database(&url).await;
        says(of(&looked.findings, "postgres"), State::Wrong, found, todo);
        let mut words = Vec::new();
        write_lines(&looked.findings, &mut words).unwrap();
        write_json(&looked.findings, &mut words).unwrap();
        let words = String::from_utf8(words).unwrap();
        assert!(
            !words.contains("s3cret-word") && !words.contains(password),
            "{words}"
        );
    }
}

#[tokio::test]
async fn a_broker_is_looked_at_before_and_after_its_queues_are_made() {
    let none = broker(&QueueOptions::default()).await;
    says(of(&none, "rabbitmq"), State::Ok, "not used", "");
    let url = rabbitmq::shared().await;
    let options = |url: &str| QueueOptions {
        amqp_url: vec![url.to_owned()],
    };
    let before = broker(&options(&url)).await;
    says(
        of(&before, "rabbitmq"),
        State::Warning,
        "storyteller.normal",
        "first that connects",
    );
    let service = Service::start().await;
    let queue = options(&url).open(service.store.clone(), 4);
    testkit::eventually("a worker listens", async || {
        let looked = broker(&options(&url)).await;
        let one = of(&looked, "rabbitmq");
        (one.state == State::Ok && one.found.contains("1 workers listen")).then_some(())
    })
    .await;
    drop(queue);
    for wrong in [
        url.replacen("guest:guest", "guest:s3cret-word", 1),
        format!("amqp://guest:s3cret-word@{}/%2f", closed()),
    ] {
        let looked = broker(&options(&wrong)).await;
        let one = of(&looked, "rabbitmq");
        says(one, State::Wrong, "127.0.0.1:", "AMQP_URL");
        assert!(!one.found.contains("s3cret-word"), "{one:?}");
    }
}

#[tokio::test]
async fn a_folder_of_pictures_is_tried_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
    let options = ImageOptions {
        images: Some(folder.path().to_owned()),
        ..ImageOptions::default()
    };
    let new = pictures(&options, None, Some(ours)).await;
    says(&new, State::Ok, "nobody's pictures yet", "");
    let images = options.open(None).await.unwrap();
    Deployment(theirs).move_in(images.as_ref()).await.unwrap();
    let other = pictures(&options, None, Some(ours)).await;
    says(
        &other,
        State::Warning,
        "1 other databases",
        "compare DATABASE_URL",
    );
    Deployment(ours).move_in(images.as_ref()).await.unwrap();
    let known = pictures(&options, None, Some(ours)).await;
    says(&known, State::Ok, "this database's", "");
    Deployment(ours)
        .leave(images.as_ref(), DISPUTED)
        .await
        .unwrap();
    let disputed = pictures(&options, None, Some(ours)).await;
    says(
        &disputed,
        State::Wrong,
        "a copy of this database",
        "docs/backup.md",
    );
    let left = images.list("probe-", None).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    let nowhere = pictures(&ImageOptions::default(), None, None).await;
    says(&nowhere, State::Wrong, "--images", "S3_BUCKET");
    let unusable = pictures(
        &ImageOptions::default(),
        Some(Path::new("/dev/null/x")),
        None,
    )
    .await;
    says(&unusable, State::Wrong, "/dev/null/x", "");
}

#[tokio::test]
async fn a_bucket_that_is_well_gone_or_closed_is_told() {
    let endpoint = seaweedfs::endpoint().await;
    let settings = seaweedfs::settings(&endpoint);
    let [access_key, secret_key] = seaweedfs::keys();
    seaweedfs::bucket_at(settings.clone()).await;
    let well = ImageOptions {
        s3_bucket: Some(settings.bucket.clone()),
        s3_endpoint: Some(endpoint),
        s3_region: settings.region.clone(),
        s3_access_key: Some(access_key),
        s3_secret_key: Some(secret_key.into()),
        ..ImageOptions::default()
    };
    let told = pictures(&well, None, Some(Uuid::new_v4())).await;
    says(&told, State::Ok, &settings.bucket, "");
    let gone = ImageOptions {
        s3_bucket: Some("no-such-bucket".to_owned()),
        ..well.clone()
    };
    says(
        &pictures(&gone, None, None).await,
        State::Wrong,
        "make the bucket",
        "",
    );
    let closed_to = ImageOptions {
        s3_secret_key: Some("s3cret-word".to_owned().into()),
        ..well.clone()
    };
    let told = pictures(&closed_to, None, None).await;
    says(&told, State::Wrong, "AWS_SECRET_ACCESS_KEY", "");
    assert!(!told.found.contains("s3cret-word"), "{told:?}");
    let silent = ImageOptions {
        s3_endpoint: Some(format!("http://{}", closed())),
        ..well
    };
    says(
        &pictures(&silent, None, None).await,
        State::Wrong,
        "S3_ENDPOINT",
        "",
    );
}

/// Where nobody listens.
fn closed() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
