//! One trace from a request to the worker and to the webhook, as a collector of OpenTelemetry hears it.

use std::process::Stdio;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use reqwest::multipart::{Form, Part};
use testkit::photos;
use testkit::postgres::{cache, open_folder};
use testkit::receiver::Receiver;
use tokio::io::{AsyncBufReadExt as _, BufReader};

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

#[tokio::test]
async fn a_request_its_telling_and_its_webhook_are_one_trace() {
    let (collector, receiver) = (
        Receiver::answering(200).await,
        Receiver::answering(200).await,
    );
    let data = open_folder();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_storyteller"))
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
    let form = Form::new()
        .part("image", Part::bytes(photos::jpeg()).file_name("photo.jpg"))
        .text("max_words", "20")
        .text("captions", "5")
        .text("beam_width", "2")
        .text("webhook_url", receiver.url("/hook"));
    let submit = http.post(format!("{address}/v1/stories")).multipart(form);
    let submit = submit.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let answer = submit.send().await.unwrap();
    let accepted = answer.status() == 202;
    assert!(accepted, "{}", answer.text().await.unwrap());
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
