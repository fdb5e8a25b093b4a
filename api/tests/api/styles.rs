//! Adding styles over HTTP: what is refused at once, what is accepted, and how it is seen from then on.

use jobs::{ErrorKind, JobError, JobKind, LearntStyle, Outcome};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use crate::harness::{Answer, TestService};

fn form(name: &str, text: impl Into<Vec<u8>>) -> Form {
    let text = Part::bytes(text.into()).file_name("novel.txt");
    Form::new().text("name", name.to_owned()).part("text", text)
}

impl TestService {
    async fn add(&self, form: Form) -> Answer {
        Answer::of(self.request(Method::POST, "/v1/styles").multipart(form)).await
    }

    async fn remove(&self, name: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, &format!("/v1/styles/{name}"))).await
    }

    async fn style(&self, name: &str) -> Value {
        let answer = self.get(&format!("/v1/styles/{name}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

#[tokio::test]
async fn a_style_is_followed_from_its_text_to_its_first_story() {
    let service = TestService::start().await;
    service.register_styles(&["romance"]).await;
    let bundle = service.store.styles().await.unwrap().unwrap().bundle;
    let answer = service.add(form("mine", "\u{feff}Long ago.\0")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("location"), "/v1/styles/mine");
    assert_eq!(service.style("mine").await["state"], "queued");
    let unmade = service.submit(&[("style", "mine")]).await;
    unmade.problem(422, "unknown_style");

    let claimed = service.claim().await;
    assert_eq!(claimed.job.kind, JobKind::Style);
    let draft = service.store.style_draft(claimed.job.id).await.unwrap();
    assert_eq!(draft.unwrap().text, "Long ago.");
    let no_story = service
        .get(&format!("/v1/stories/{}", claimed.job.id))
        .await;
    no_story.problem(404, "not_found");
    let learnt = LearntStyle {
        bundle,
        passages: 44,
        found: 50,
        known: 91.0,
        vector: vec![0.0; 3],
    };
    service.finish(&claimed, Outcome::Learnt(learnt)).await;
    let style = service.style("mine").await;
    assert_eq!(
        (&style["state"], &style["passages"]),
        (&"ready".into(), &44.into())
    );
    let list = service.get("/v1/styles").await.json();
    let names: Vec<_> = list["styles"].as_array().unwrap().iter().collect();
    assert_eq!(names.last().unwrap()["name"], "mine");
    let mixed = service.submit(&[("style", "mine:0.5,romance:0.5")]).await;
    assert_eq!(mixed.status, 202, "{}", mixed.text());

    assert_eq!(service.add(form("mine", "Long ago.")).await.status, 200);
    service
        .add(form("mine", "Just now."))
        .await
        .problem(409, "style_exists");
    assert_eq!(service.remove("mine").await.status, 204);
    service.remove("mine").await.problem(404, "not_found");
    service
        .get("/v1/styles/mine")
        .await
        .problem(404, "not_found");
    service.stop().await;
}

#[tokio::test]
async fn what_can_be_known_about_name_and_text_is_said_at_once() {
    let service = TestService::start().await;
    service.register_styles(&["romance"]).await;
    let field = async |form: Form, field: &str| {
        let problem = service.add(form).await.problem(422, "invalid_parameter");
        assert_eq!(problem["field"], field, "{problem}");
    };
    for name in ["", "Mine", "-mine", "mine:1", "a b", &"x".repeat(41)] {
        field(form(name, "Long ago."), "name").await;
    }
    field(form("mine", vec![0xff, 0xfe, 0x41]), "text").await;
    field(form("mine", " \n"), "text").await;
    field(Form::new().text("name", "mine"), "text").await;
    field(form("mine", "Long ago.").text("styel", "x"), "styel").await;
    field(
        form("mine", "Long ago.").text("source", "x".repeat(501)),
        "source",
    )
    .await;
    service
        .add(form("romance", "Long ago."))
        .await
        .problem(409, "style_exists");
    let large = vec![b'x'; 16 * 1024 * 1024 + 1];
    service
        .add(form("mine", large))
        .await
        .problem(413, "body_too_large");
    service.remove("romance").await.problem(404, "not_found");
    assert_eq!(service.style("romance").await["state"], "ready");
    assert_eq!(service.store.depth().await.unwrap().queued, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_style_that_cannot_be_made_says_why() {
    let service = TestService::start().await;
    service.add(form("mine", "Il était une fois.")).await;
    let claimed = service.claim().await;
    let error = JobError::new(ErrorKind::TextUnusable, "only 20 % of its words are known");
    service.finish(&claimed, Outcome::Failed(error)).await;
    let style = service.style("mine").await;
    assert_eq!(style["state"], "failed");
    assert_eq!(style["error"]["type"], "/problems/text_unusable");
    assert_eq!(style["error"]["retryable"], false);
    service.stop().await;
}
