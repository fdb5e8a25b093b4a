//! What is done now and then is done by one of all processes, once in its interval.

use std::time::Duration;

use testkit::Service;

#[tokio::test]
async fn of_many_who_come_at_once_one_does_a_chore_and_it_is_due_again_after_its_interval() {
    let service = Service::start().await;
    let hour = Duration::from_secs(3600);
    let takes = (0..8).map(|_| service.store.take_chore("tidy", hour));
    let taken = futures_util::future::join_all(takes).await;
    assert_eq!(
        taken
            .into_iter()
            .filter(|taken| *taken.as_ref().unwrap())
            .count(),
        1
    );
    assert!(!service.store.take_chore("tidy", hour).await.unwrap());
    assert!(service.store.take_chore("another", hour).await.unwrap());
    service
        .tamper("update chores set due_at = now() where name = 'tidy'")
        .await;
    assert!(service.store.take_chore("tidy", hour).await.unwrap());
}
