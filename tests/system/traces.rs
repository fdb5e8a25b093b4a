//! One trace from a request to the worker and to the webhook, as a collector of OpenTelemetry hears it.

use std::process::Stdio;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use reqwest::multipart::{Form, Part};
use tempfile::TempDir;
use testkit::photos;
use testkit::postgres::{cache, open_folder};
use testkit::receiver::Receiver;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// All spans that a collector has heard of, by this name and in this trace.
fn spans(collector: &Receiver, name: &str) -> Vec<Span> {
    let heard = collector.heard().into_iter();
    let requests = heard.map(|heard| {
        assert_eq!(heard.path, "/v1/traces");
        ExportTraceServiceRequest::decode(heard.body.as_slice()).unwrap()
    });
    let resources = requests.flat_map(|request| request.resource_spans);
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    let ours = |span: &Span| span.name == name && hex(&span.trace_id) == TRACE;
    spans.filter(ours).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The number that a span says under this name.
fn number(span: &Span, name: &str) -> Option<i64> {
    let said = span.attributes.iter().find(|said| said.key == name)?;
    match said.value.as_ref()?.value.as_ref()? {
        Value::IntValue(number) => Some(*number),
        other => panic!("{name} is {other:?}"),
    }
}

/// A service that tells with real networks and sends its spans to a collector.
struct Traced {
    address: String,
    http: reqwest::Client,
    _program: Child,
    _data: TempDir,
}

impl Traced {
    async fn start(collector: &Receiver) -> Self {
        let data = open_folder();
        let mut program = Command::new(env!("CARGO_BIN_EXE_storyteller"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .args(["--allow-addresses", "127.0.0.1"])
            .env("STORYTELLER_CACHE", cache())
            .env("OMP_NUM_THREADS", "1")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url(""))
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap()).lines();
        let said = said.next_line().await.unwrap().unwrap();
        let address = said
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let address = address.unwrap().to_owned();
        let http = reqwest::Client::new();
        testkit::eventually("the service is ready", async || {
            let answer = http.get(format!("{address}/readyz")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        Traced {
            address,
            http,
            _program: program,
            _data: data,
        }
    }

    /// Hands in a small picture as part of our trace; the id of its story.
    async fn accepted(&self, form: Form) -> String {
        let form = form.part("image", Part::bytes(photos::jpeg()).file_name("photo.jpg"));
        let submit = self.http.post(format!("{}/v1/stories", self.address));
        let submit = submit.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let answer = submit.multipart(form).send().await.unwrap();
        let (status, said) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 202, "{said}");
        let job: serde_json::Value = serde_json::from_str(&said).unwrap();
        job["id"].as_str().unwrap().to_owned()
    }

    /// Takes a story back when a worker has begun with it.
    async fn cancel_once_running(&self, id: &str) {
        let story = format!("{}/v1/stories/{id}", self.address);
        testkit::eventually("it is being told", async || {
            let job = self.http.get(&story).send().await.unwrap();
            let job: serde_json::Value = job.json().await.unwrap();
            (job["state"] == "running").then_some(())
        })
        .await;
        self.wish(id, "cancel").await;
    }

    async fn wish(&self, id: &str, wish: &str) {
        let address = format!("{}/v1/stories/{id}/{wish}", self.address);
        let answer = self.http.post(address).send().await.unwrap();
        assert!(answer.status().is_success(), "{wish}: {}", answer.status());
    }
}

#[tokio::test]
async fn a_later_attempt_names_the_one_before_it() {
    let collector = Receiver::answering(200).await;
    let service = Traced::start(&collector).await;
    let id = service.accepted(Form::new()).await;
    service.cancel_once_running(&id).await;
    service.wish(&id, "retry").await;
    service.cancel_once_running(&id).await;
    let attempts = testkit::eventually("both attempts come", async || {
        let mut attempts = spans(&collector, "attempt");
        attempts.sort_by_key(|attempt| number(attempt, "lease"));
        (attempts.len() == 2).then_some(attempts)
    })
    .await;
    let said = |name: &str| {
        attempts
            .iter()
            .map(|attempt| number(attempt, name))
            .collect::<Vec<_>>()
    };
    assert_eq!(said("lease"), [Some(1), Some(2)]);
    assert_eq!(said("retry_of"), [None, Some(1)]);
}

#[tokio::test]
async fn a_request_its_telling_and_its_webhook_are_one_trace() {
    let (collector, receiver) = (
        Receiver::answering(200).await,
        Receiver::answering(200).await,
    );
    let service = Traced::start(&collector).await;
    let form = Form::new()
        .text("max_words", "20")
        .text("captions", "5")
        .text("beam_width", "2")
        .text("webhook_url", receiver.url("/hook"));
    service.accepted(form).await;
    let webhook = testkit::eventually("the webhook comes", async || receiver.heard().pop()).await;
    let found = testkit::eventually("the spans come", async || {
        let found = ["request", "attempt", "webhook"].map(|name| spans(&collector, name).pop());
        found.iter().all(Option::is_some).then_some(found)
    })
    .await;
    let [request, attempt, sent] = found.map(Option::unwrap);
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(attempt.parent_span_id, request.span_id);
    assert_eq!(sent.parent_span_id, request.span_id);
    let told = &webhook.headers["traceparent"];
    assert_eq!(*told, format!("00-{TRACE}-{}-01", hex(&sent.span_id)));
}
