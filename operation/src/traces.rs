//! Traces for OpenTelemetry: spans are sent to a collector (OTLP over HTTP), and one trace goes on from the request that hands a
//! story in to the worker that tells it and to the webhook that says so.
//! `logging` begins them if an address is given; whoever takes up a job calls [`follow`], whoever hands one on [`traceparent`].
//! What must stay true: without a collector nothing is sent and nothing waits, but a trace of the caller's own goes on.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The header, and the name in a carrier.
pub const TRACEPARENT: &str = "traceparent";
/// A collector that takes longer misses some spans; the service waits for none.
const SENT_WITHIN: Duration = Duration::from_secs(5);
/// `00-<32 digits>-<16 digits>-<2 digits>`.
const LENGTH: usize = 55;

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
#[error(
    "traces cannot be sent to {endpoint}: {cause}; write OTEL_EXPORTER_OTLP_ENDPOINT as http://127.0.0.1:4318"
)]
pub struct NoTraces {
    endpoint: String,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

/// What makes traces of spans and sends them to the collector at `endpoint`.
///
/// # Errors
/// When the address cannot be one.
pub(crate) fn layer<S>(endpoint: &str) -> Result<OpenTelemetryLayer<S, SdkTracer>, NoTraces>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let refused = |cause| NoTraces {
        endpoint: endpoint.to_owned(),
        cause,
    };
    let sender = Sender::new().map_err(refused)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(sender)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(SENT_WITHIN)
        .build()
        .map_err(|error| refused(error.into()))?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource())
        .build();
    let tracer = provider.tracer("storyteller");
    // a second start changes nothing, as with the log
    let _ = PROVIDER.set(provider);
    Ok(tracing_opentelemetry::layer().with_tracer(tracer))
}

/// Sends what has not been sent yet. Programs of the service end with it.
pub fn flush() {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.shutdown()
    {
        tracing::warn!(%error, "the last spans were not sent");
    }
}

/// Makes a span that nobody has entered yet part of the trace that this header names, if it names one.
pub fn follow(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent.and_then(wellformed) else {
        return;
    };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    // where no traces are made there is nothing to be part of
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}

/// The header by which others go on with this span's trace: its own where traces are made, else `given`, the caller's.
pub fn traceparent(span: &Span, given: Option<&str>) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    let own = carrier.remove(TRACEPARENT);
    own.or_else(|| given.and_then(wellformed).map(str::to_owned))
}

/// What others write is kept and passed on only if it is what it should be.
fn wellformed(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let fits =
        text.len() == LENGTH && lengths == [2, 32, 16, 2] && parts.iter().all(|part| digits(part));
    (fits && parts[0] != "ff" && !zero(parts[1]) && !zero(parts[2])).then_some(text)
}

/// Whose spans they are: as the environment says, else by the program's name.
fn resource() -> Resource {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name());
    let program = program.map_or_else(Default::default, |name| name.to_string_lossy());
    let ours = match &*program {
        "api" | "worker" => format!("storyteller-{program}"),
        _ => "storyteller".to_owned(),
    };
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        return resource.build();
    }
    resource.with_service_name(ours).build()
}

/// Sends by our own client, so that there is one TLS in the process, on a thread of its own: spans are exported by a thread that
/// has no runtime, also while a program ends.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: Runtime,
}

impl Sender {
    fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()?;
        let client = reqwest::Client::builder().timeout(SENT_WITHIN).build()?;
        Ok(Sender { client, runtime })
    }
}

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.extend(answer.headers().clone());
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        });
        Box::pin(async move { sent.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_trace_is_passed_on() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(
            traceparent(&Span::none(), Some(good)).as_deref(),
            Some(good)
        );
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx: y",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0é",
        ] {
            assert_eq!(traceparent(&Span::none(), Some(bad)), None, "{bad}");
        }
        assert_eq!(traceparent(&Span::none(), None), None);
    }
}
