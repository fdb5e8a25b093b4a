//! Pictures that no job has are swept, and no others: over a directory and over a real S3 server. And none at all where
//! the database may not be the one that belongs to the pictures.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jobs::Tokens;
use operation::Health;
use pictures::images::{DISPUTED, Deployment};
use pictures::{Directory, Images};
use testkit::service::new_job;
use testkit::{Service, eventually};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::dispatcher::{self, ChoreOptions, Chores, Tidied, Tidying, tidy};

/// At once, and however many.
const HASTY: Tidying = Tidying {
    age: Duration::ZERO,
    in_trash: Duration::ZERO,
    most: 1.0,
};

async fn names(images: &dyn Images) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let page = images
            .list("", names.last().map(String::as_str))
            .await
            .unwrap();
        if page.is_empty() {
            names.retain(|name| !name.starts_with("deployment-"));
            names.sort();
            return names;
        }
        names.extend(page.into_iter().map(|kept| kept.key));
    }
}

async fn keep(images: &dyn Images, key: &str) {
    images
        .put(key, Bytes::from_static(b"picture"))
        .await
        .unwrap();
}

/// A job whose picture is kept as the service keeps it.
async fn submit(service: &Service, images: &dyn Images) -> String {
    let mut job = new_job(Default::default());
    let deployment = Deployment(service.store.deployment().await.unwrap());
    job.image.key = deployment.key(job.id, "image/png");
    let key = job.image.key.clone();
    keep(images, &key).await;
    service.store.submit(job).await.unwrap();
    key
}

async fn tidied(service: &Service, images: &dyn Images, tidying: Tidying) -> Tidied {
    tidy(&service.store, images, tidying).await.unwrap()
}

/// However often one looks, orphans that are young in the trash stay there.
async fn stay_in_the_trash(service: &Service, images: &dyn Images, orphans: u64) {
    let patient = Tidying {
        in_trash: Duration::from_secs(3600),
        ..HASTY
    };
    for _ in 0..2 {
        let found = tidied(service, images, patient).await;
        let found = (found.orphans as u64, found.deleted as u64);
        assert_eq!(found, (orphans, 0), "the trash comes first");
    }
}

async fn only_orphans_are_swept(images: &dyn Images) {
    let service = Service::start().await;
    let ours = Deployment(service.store.deployment().await.unwrap());
    let mut kept = vec![submit(&service, images).await];
    let mut changed = new_job(Default::default());
    let stale = ours.key(changed.id, "image/png");
    changed.image.key = ours.key(changed.id, "image/jpeg");
    kept.push(changed.image.key.clone());
    keep(images, &changed.image.key).await;
    service.store.submit(changed).await.unwrap();
    let others = Deployment(Uuid::now_v7());
    for foreign in [
        "notes.txt".to_owned(),
        others.key(Uuid::now_v7(), "image/png"),
        // as versions before this one named them
        format!("{}.png", Uuid::now_v7().simple()),
    ] {
        keep(images, &foreign).await;
        kept.push(foreign);
    }
    kept.sort();
    let orphans = [
        ours.key(Uuid::now_v7(), "image/png"),
        ours.key(Uuid::now_v7(), "image/gif"),
        stale,
    ];
    for orphan in &orphans {
        keep(images, orphan).await;
    }

    let first = tidied(&service, images, HASTY).await;
    assert!(
        first.moved_in && first.deleted == 0,
        "a first start: {first:?}"
    );
    let young = Tidying {
        age: Duration::from_secs(3600),
        ..HASTY
    };
    let young = tidied(&service, images, young).await;
    assert_eq!(
        (young.looked_at, young.orphans),
        (5, 0),
        "a submit may be under way"
    );
    stay_in_the_trash(&service, images, 3).await;
    let last = tidied(&service, images, HASTY).await;
    assert_eq!((last.looked_at, last.orphans, last.deleted), (5, 3, 3));
    assert_eq!(names(images).await, kept);
    assert_eq!(tidied(&service, images, HASTY).await.orphans, 0);
}

/// The database is empty, restored, wrong, or another deployment's.
async fn a_database_that_does_not_know_the_pictures_deletes_none(images: &dyn Images) {
    let service = Service::start().await;
    for _ in 0..2 {
        submit(&service, images).await;
    }
    tidied(&service, images, HASTY).await;
    let kept = names(images).await;
    let usual = Tidying {
        most: Tidying::default().most,
        ..HASTY
    };

    let other = Service::start().await;
    for _ in 0..3 {
        let tidied = tidied(&other, images, HASTY).await;
        assert_eq!(
            (tidied.looked_at, tidied.deleted),
            (0, 0),
            "another deployment's: {tidied:?}"
        );
    }
    // an older state of the same database
    service.tamper("delete from jobs").await;
    for _ in 0..3 {
        let tidied = tidied(&service, images, usual).await;
        assert!(tidied.refused && tidied.deleted == 0, "{tidied:?}");
        assert_eq!((tidied.looked_at, tidied.orphans), (2, 2));
    }
    assert_eq!(names(images).await, kept);
}

async fn a_picture_whose_job_comes_back_leaves_the_trash(images: &dyn Images) {
    let service = Service::start().await;
    submit(&service, images).await;
    tidied(&service, images, HASTY).await;
    let patient = Tidying {
        in_trash: Duration::from_secs(3600),
        ..HASTY
    };
    service
        .tamper("create table aside as select * from jobs; delete from jobs")
        .await;
    assert_eq!(tidied(&service, images, patient).await.orphans, 1);
    service.tamper("insert into jobs select * from aside").await;
    assert_eq!(tidied(&service, images, patient).await.orphans, 0);
    service
        .tamper("delete from jobs; update trash set since = since - interval '2 hours'")
        .await;
    let again = tidied(&service, images, patient).await;
    assert_eq!(
        (again.orphans, again.deleted),
        (1, 0),
        "its time in the trash begins anew"
    );
}

/// A copy of the database that knows none of the stories since, at work on the same pictures.
async fn copy_of(original: &Service) -> Service {
    let copy = Service::start().await;
    let id = original.store.deployment().await.unwrap();
    let tokens = original.store.tokens().await.unwrap();
    let [last, before] = [tokens.last, tokens.before].map(Option::unwrap);
    let same =
        format!("update deployment set id = '{id}', token = '{last}', token_before = '{before}'");
    copy.tamper(&same).await;
    copy
}

/// The tokens taken away, as docs/backup.md says.
async fn settle(images: &dyn Images) {
    for kept in images.list("deployment-", None).await.unwrap() {
        images.delete(&kept.key).await.unwrap();
    }
}

/// Whichever of the two comes first.
async fn of_a_database_and_its_copy_neither_deletes(images: &dyn Images) {
    let patient = Tidying {
        in_trash: Duration::from_secs(3600),
        ..HASTY
    };
    for copy_first in [true, false] {
        let original = Service::start().await;
        submit(&original, images).await;
        assert!(tidied(&original, images, HASTY).await.moved_in);
        assert_eq!(tidied(&original, images, HASTY).await.looked_at, 1);
        let copy = copy_of(&original).await;
        submit(&original, images).await;
        let (first, second) = if copy_first {
            (&copy, &original)
        } else {
            (&original, &copy)
        };
        let kept = names(images).await;
        // the first cannot know, and what it takes for orphans goes into the trash
        assert!(!tidied(first, images, patient).await.disputed);
        for service in [second, first, second] {
            let found = tidied(service, images, HASTY).await;
            assert!(found.disputed && found.deleted == 0, "{found:?}");
        }
        assert_eq!(names(images).await, kept);
        settle(images).await;
        assert!(
            tidied(&original, images, HASTY).await.moved_in,
            "as on a first day"
        );
        let after = tidied(&original, images, HASTY).await;
        assert_eq!(
            (after.disputed, after.looked_at, after.orphans),
            (false, 2, 0)
        );
    }
}

/// Died between the two: the token is made and not left, or left and the old one not taken away.
async fn a_chore_that_dies_while_it_signs_disputes_nothing(images: &dyn Images) {
    let service = Service::start().await;
    tidied(&service, images, HASTY).await;
    let deployment = Deployment(service.store.deployment().await.unwrap());
    for leaves in [false, true, false] {
        for _ in 0..2 {
            let known = service.store.tokens().await.unwrap();
            let lying = deployment.tokens(images).await.unwrap();
            let known_lying = lying.iter().find(|token| known.know(**token)).copied();
            let made = service.store.next_token(known, known_lying).await.unwrap();
            if leaves {
                deployment.leave(images, made.unwrap()).await.unwrap();
                break;
            }
        }
        let after = tidied(&service, images, HASTY).await;
        assert!(!after.disputed && !after.moved_in, "{after:?}");
        assert_eq!(deployment.tokens(images).await.unwrap().len(), 1);
    }
    let known = service.store.tokens().await.unwrap();
    let late = Tokens {
        last: known.before,
        ..known
    };
    let made = service.store.next_token(late, known.before).await.unwrap();
    assert_eq!(made, None, "somebody else has made one since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_database_forgets_no_stories_with_the_pictures_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let images = Arc::new(Directory::open(folder.path().join("pictures")).unwrap());
    let service = Service::start().await;
    let picture = submit(&service, &*images).await;
    tidied(&service, &*images, HASTY).await;
    let deployment = Deployment(service.store.deployment().await.unwrap());
    deployment.leave(&*images, Uuid::now_v7()).await.unwrap();
    service
        .tamper(
            "update jobs set state = 'cancelled', finished_at = now() - interval '10 years'; \
                 update chores set due_at = now()",
        )
        .await;
    let chores = Chores::new(
        service.store.clone(),
        images.clone(),
        ChoreOptions::default(),
    );
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(dispatcher::run(
        None,
        chores,
        Health::new(),
        shutdown.clone(),
    ));
    eventually("the copy is told that it is seen", async || {
        let tokens = deployment.tokens(&*images).await.unwrap();
        tokens.contains(&DISPUTED).then_some(())
    })
    .await;
    eventually("the chore after that of old stories is taken", async || {
        let taken =
            "select count(*)::text from chores where name = 'forget accounts' and due_at > now()";
        (service.ask(taken).await == "1").then_some(())
    })
    .await;
    shutdown.cancel();
    running.await.unwrap();
    assert_eq!(names(&*images).await, [picture]);
}

#[tokio::test(flavor = "multi_thread")]
async fn chores_are_done_where_there_is_nothing_to_sign_webhooks_with() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    service.store.cancel(id).await.unwrap();
    let past = "update jobs set finished_at = now() - interval '10 years'";
    service.tamper(past).await;
    let folder = tempfile::tempdir().unwrap();
    let images = Arc::new(Directory::open(folder.path().join("pictures")).unwrap());
    let chores = Chores::new(service.store.clone(), images, ChoreOptions::default());
    let shutdown = CancellationToken::new();
    let work = dispatcher::run(None, chores, Health::new(), shutdown.clone());
    let running = tokio::spawn(work);
    eventually("an old story is forgotten", async || {
        let found = service.store.get(id).await.unwrap();
        found.is_none().then_some(())
    })
    .await;
    shutdown.cancel();
    running.await.unwrap();
}

async fn uploads_whose_story_nobody_asked_for_go_when_their_time_is_over(images: &dyn Images) {
    let service = Service::start().await;
    let ours = Deployment(service.store.deployment().await.unwrap());
    let picture = submit(&service, images).await;
    let upload = |deployment: Deployment| deployment.upload(Some(Uuid::now_v7()), Uuid::now_v7());
    let anothers = upload(Deployment(Uuid::now_v7()));
    for key in [upload(ours), upload(ours), anothers.clone()] {
        keep(images, &key).await;
    }
    tidied(&service, images, HASTY).await;
    let young = Tidying {
        age: Duration::from_secs(3600),
        ..HASTY
    };
    assert_eq!(tidied(&service, images, young).await.abandoned, 0);
    let old = tidied(&service, images, HASTY).await;
    assert_eq!((old.abandoned, old.looked_at, old.orphans), (2, 1, 0));
    let mut left = vec![picture, anothers];
    left.sort();
    assert_eq!(names(images).await, left);
}

macro_rules! over_both {
    ($($promise:ident),* $(,)?) => {
        mod in_a_directory {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                let folder = tempfile::tempdir().unwrap();
                super::$promise(&Directory::open(folder.path().join("pictures")).unwrap()).await;
            })*
        }
        mod in_s3 {
            $(#[tokio::test]
            async fn $promise() {
                let images = testkit::seaweedfs::bucket().await;
                super::$promise(&images).await;
            })*
        }
    };
}
over_both![
    only_orphans_are_swept,
    a_database_that_does_not_know_the_pictures_deletes_none,
    a_picture_whose_job_comes_back_leaves_the_trash,
    of_a_database_and_its_copy_neither_deletes,
    a_chore_that_dies_while_it_signs_disputes_nothing,
    uploads_whose_story_nobody_asked_for_go_when_their_time_is_over,
];
