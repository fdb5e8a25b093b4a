//! Keys, sessions, owners, quotas and the audit, as the store keeps them.

use std::sync::Arc;
use std::time::Duration;

use jobs::{
    Actor, Credential, Key, KeyLimits, NewKey, Owned, Quota, Scope, Store, StoryRequest, Submitted,
    Void,
};
use testkit::Service;
use testkit::service::{new_job, styles};

fn new_key(limits: KeyLimits) -> NewKey {
    NewKey {
        name: "Ada".to_owned(),
        scope: Scope::Write,
        expires_at: None,
        limits,
        webhook_secret: None,
    }
}

async fn key(service: &Service) -> (Key, Credential) {
    let new = new_key(KeyLimits::default());
    service.store.create_key(new).await.unwrap()
}

fn acting(service: &Service, key: &Key) -> Store {
    let actor = Actor {
        owner: Some(key.id),
        sees_all: false,
        name: key.prefix.clone(),
        origin: Some("192.0.2.7".to_owned()),
        limits: key.limits,
    };
    service.store.acting_for(Arc::new(actor))
}

#[tokio::test]
async fn a_key_is_found_by_what_only_its_owner_knows_and_nothing_of_that_is_kept() {
    let service = Service::start().await;
    assert!(!service.store.has_keys().await.unwrap());
    let (made, secret) = key(&service).await;
    let (other, _) = key(&service).await;
    assert!(service.store.has_keys().await.unwrap());
    let found = service.store.key_of(&secret).await.unwrap().unwrap();
    assert_eq!(found, made);
    let guess = Credential::new_key();
    assert_eq!(service.store.key_of(&guess).await.unwrap(), None);
    assert_eq!(service.store.keys().await.unwrap(), [made.clone(), other]);
    let rows = service
        .ask("select string_agg(t::text, ' ') from (select * from api_keys) as t")
        .await;
    let words = secret.reveal().rsplit('_').next().unwrap();
    assert!(
        rows.contains(&made.prefix) && !rows.contains(words),
        "{rows}"
    );
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_and_takes_its_sessions_along() {
    let service = Service::start().await;
    let (made, secret) = key(&service).await;
    let week = Duration::from_secs(7 * 24 * 3600);
    let (session, until) = service.store.open_session(&made, week).await.unwrap();
    assert!(until > made.created_at);
    let found = service.store.key_of(&session).await.unwrap().unwrap();
    assert_eq!(found.id, made.id);
    let revoked = service.store.revoke_key(&made.prefix).await.unwrap();
    let at = revoked.unwrap().revoked_at.unwrap();
    assert_eq!(service.store.key_of(&session).await.unwrap(), None);
    let found = service.store.key_of(&secret).await.unwrap().unwrap();
    assert_eq!(found.void(at), Some(Void::Revoked));
    let again = service.store.revoke_key(&made.prefix).await.unwrap();
    assert_eq!(again.unwrap().revoked_at, Some(at));
    assert_eq!(service.store.revoke_key("st_00000000").await.unwrap(), None);
}

#[tokio::test]
async fn sessions_end_by_themselves_with_their_key_and_by_wish() {
    let service = Service::start().await;
    let (made, _) = key(&service).await;
    let short = service.store.open_session(&made, Duration::ZERO).await;
    let (over, _) = short.unwrap();
    assert_eq!(service.store.key_of(&over).await.unwrap(), None);
    let soon = made.created_at + Duration::from_secs(60);
    let new = NewKey {
        expires_at: Some(soon),
        ..new_key(KeyLimits::default())
    };
    let (brief, _) = service.store.create_key(new).await.unwrap();
    let day = Duration::from_secs(24 * 3600);
    let (session, until) = service.store.open_session(&brief, day).await.unwrap();
    assert_eq!(Some(until), brief.expires_at);
    assert!(service.store.close_session(&session).await.unwrap());
    assert!(!service.store.close_session(&session).await.unwrap());
    assert_eq!(service.store.key_of(&session).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_handed_in_has_an_owner_and_lists_know_it() {
    let service = Service::start().await;
    let ((one, _), (other, _)) = (key(&service).await, key(&service).await);
    let (store, foreign) = (acting(&service, &one), acting(&service, &other));
    let nobodys = service.submit().await.id;
    let new = new_job(StoryRequest::default());
    let Submitted::New(job) = store.submit(new).await.unwrap() else {
        panic!("there is room")
    };
    let owner = |id| service.store.story_owner(id);
    assert_eq!(owner(job.id).await.unwrap(), Owned::By(one.id));
    assert_eq!(owner(nobodys).await.unwrap(), Owned::ByNobody);
    assert_eq!(owner(uuid::Uuid::nil()).await.unwrap(), Owned::Missing);
    for (store, sees, count) in [
        (&store, true, 1),
        (&foreign, false, 0),
        (&service.store, true, 2),
    ] {
        assert_eq!(store.may_see(job.id).await.unwrap(), sees);
        assert_eq!(store.list(None, None, 9).await.unwrap().jobs.len(), count);
    }
}

#[tokio::test]
async fn of_many_submits_at_once_a_quota_lets_through_as_many_as_it_has() {
    let service = Service::start().await;
    for (limits, quota) in [
        (
            KeyLimits {
                waiting: Some(3),
                ..KeyLimits::default()
            },
            Quota::Waiting(3),
        ),
        (
            KeyLimits {
                stories_a_day: Some(3),
                ..KeyLimits::default()
            },
            Quota::Day(3),
        ),
    ] {
        let (made, _) = service.store.create_key(new_key(limits)).await.unwrap();
        let store = acting(&service, &made);
        let submits = (0..8).map(|_| store.submit(new_job(StoryRequest::default())));
        let submitted = futures_util::future::join_all(submits).await;
        let (mut taken, mut refused) = (0, 0);
        for submitted in submitted {
            match submitted.unwrap() {
                Submitted::New(_) => taken += 1,
                Submitted::OverQuota(said) if said == quota => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((taken, refused), (3, 5), "{quota:?}");
        let listed = service.store.keys().await.unwrap();
        let made = listed.iter().find(|key| key.id == made.id).unwrap();
        assert_eq!(made.stories_today, 3, "who was refused is not counted");
    }
}

#[tokio::test]
async fn what_a_known_caller_does_is_written_down_in_order_and_what_fails_is_not() {
    let service = Service::start().await;
    let (made, _) = key(&service).await;
    let store = acting(&service, &made);
    let Submitted::New(job) = store
        .submit(new_job(StoryRequest::default()))
        .await
        .unwrap()
    else {
        panic!("there is room")
    };
    store.cancel(job.id).await.unwrap();
    store.cancel(job.id).await.unwrap();
    store.retry(job.id).await.unwrap();
    store.retry(job.id).await.unwrap();
    store.share(job.id).await.unwrap();
    store.unshare(job.id).await.unwrap();
    store.remove_data(job.id).await.unwrap();
    store.share(job.id).await.unwrap();
    store.remove_style("none").await.unwrap();
    store.replay_delivery(job.id, 1).await.unwrap();
    // nobody's deeds have nobody to be asked about
    let nobodys = service.submit().await.id;
    service.store.cancel(nobodys).await.unwrap();
    let mut deeds = service.store.audit(100).await.unwrap();
    deeds.reverse();
    let whats: Vec<&str> = deeds.iter().map(|deed| deed.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "story.cancelled",
            "story.retried",
            "story.shared",
            "story.unshared",
            "story.deleted"
        ]
    );
    for deed in &deeds {
        assert_eq!(
            (&deed.who, &deed.object),
            (&made.prefix, &job.id.to_string())
        );
        assert_eq!(deed.origin.as_deref(), Some("192.0.2.7"));
    }
    assert_eq!(service.store.forget_accounts(9).await.unwrap(), 0);
    service
        .tamper("update audit set at = now() - interval '2 years' where what like '%shared'")
        .await;
    assert_eq!(service.store.forget_accounts(9).await.unwrap(), 2);
    assert_eq!(service.store.audit(100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn use_is_written_down_once_a_minute() {
    let service = Service::start().await;
    let (made, secret) = key(&service).await;
    assert_eq!(made.last_used_at, None);
    let used = async || {
        service.store.key_used(made.id).await.unwrap();
        let key = service.store.key_of(&secret).await.unwrap().unwrap();
        key.last_used_at.unwrap()
    };
    let first = used().await;
    assert_eq!(used().await, first);
    service
        .tamper("update api_keys set last_used_at = now() - interval '2 minutes'")
        .await;
    assert!(used().await > first);
}

#[tokio::test]
async fn webhooks_of_a_key_may_have_a_secret_of_their_own() {
    let service = Service::start().await;
    let new = NewKey {
        webhook_secret: Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        ..new_key(KeyLimits::default())
    };
    let (own, _) = service.store.create_key(new.clone()).await.unwrap();
    assert!(own.own_webhook_secret);
    let (usual, _) = key(&service).await;
    let nobodys = service.submit().await.id;
    for (store, secret) in [
        (acting(&service, &own), new.webhook_secret),
        (acting(&service, &usual), None),
    ] {
        let Submitted::New(job) = store
            .submit(new_job(StoryRequest::default()))
            .await
            .unwrap()
        else {
            panic!("there is room")
        };
        assert_eq!(service.store.webhook_secret(job.id).await.unwrap(), secret);
    }
    assert_eq!(service.store.webhook_secret(nobodys).await.unwrap(), None);
}

#[tokio::test]
async fn the_secret_of_a_key_is_changed_with_the_old_one_beside_it_for_a_time() {
    let service = Service::start().await;
    let (key, _) = key(&service).await;
    let store = acting(&service, &key);
    let submitted = store.submit(new_job(StoryRequest::default())).await;
    let Submitted::New(job) = submitted.unwrap() else {
        panic!("there is room")
    };
    let change = async |secret| {
        let store = &service.store;
        let changed = store.change_webhook_secret(&key.prefix, secret).await;
        changed.unwrap().expect("there is the key");
        store.webhook_secret(job.id).await.unwrap()
    };
    assert_eq!(change(None).await, None, "it has none yet");
    assert_eq!(change(Some("one")).await.as_deref(), Some("one"));
    assert_eq!(change(Some("one")).await.as_deref(), Some("one"));
    assert_eq!(change(Some("two")).await.as_deref(), Some("two one"));
    assert_eq!(change(Some("three")).await.as_deref(), Some("three two"));
    assert_eq!(change(None).await.as_deref(), Some("three"));
    let nobody = service.store.change_webhook_secret("st_00000000", None);
    assert!(nobody.await.unwrap().is_none());
}

#[tokio::test]
async fn a_story_is_told_in_a_style_of_its_owner_and_in_no_other_of_that_name() {
    let service = Service::start().await;
    let ((one, _), (other, _)) = (key(&service).await, key(&service).await);
    let (store, foreign) = (acting(&service, &one), acting(&service, &other));
    let draft = styles::draft("mine", "long ago");
    store.submit_style(&draft).await.unwrap();
    let claimed = service.claim().await;
    let learnt = styles::learnt(1.0);
    service.store.finish(claimed.lease, learnt).await.unwrap();
    let admin = NewKey {
        scope: Scope::Admin,
        ..new_key(KeyLimits::default())
    };
    let (admin, _) = service.store.create_key(admin).await.unwrap();
    let admin = acting(&service, &admin);
    for (store, count) in [(&store, 1), (&foreign, 0), (&admin, 1), (&service.store, 0)] {
        let Submitted::New(job) = store
            .submit(new_job(StoryRequest::default()))
            .await
            .unwrap()
        else {
            panic!("there is room")
        };
        let names = ["mine".to_owned()];
        let added = service.store.added_styles(styles::BUNDLE, &names, job.id);
        assert_eq!(added.await.unwrap().len(), count);
    }
}
