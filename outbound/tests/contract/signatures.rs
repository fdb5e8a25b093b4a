//! That our signatures are those of Standard Webhooks as others read it: checked with a package that is not ours.

use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::Utc;
use outbound::{Headers, Secret, Secrets};

use testkit::postgres::cache;

/// Runs a few lines of Python with the `standardwebhooks` package that set-up fetched.
fn independent(script: &str, input: &str) -> String {
    let package = cache().join("standardwebhooks-1.1.0");
    assert!(
        package.exists(),
        "{} is not there: run scripts/setup-seaweedfs.sh",
        package.display()
    );
    let python = Command::new("python3")
        .args(["-c", script])
        .env("PYTHONPATH", package)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut python = python.expect("no python3 here: install the package `python3`");
    python
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_implementation_that_is_not_ours_accepts_our_signatures_and_refuses_forgeries() {
    let (old, new) = (Secret::new(), Secret::new());
    let both: Secrets = format!("{},{}", new.reveal(), old.reveal())
        .parse()
        .unwrap();
    let body = r#"{"type":"story.succeeded","data":{"story":"Ein Märchen – “quoted”"}}"#;
    let now = Utc::now().timestamp();
    let script = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
said = []
for line in sys.stdin:
    case = json.loads(line)
    try:
        Webhook(case["secret"]).verify(case["body"], case["headers"])
        said.append("accepted")
    except WebhookVerificationError:
        said.append("refused")
print(" ".join(said))
"#;
    let case = |secret: &Secret, headers: &Headers, body: &str| {
        let headers = serde_json::json!({
            "webhook-id": headers.id, "webhook-timestamp": headers.timestamp.to_string(),
            "webhook-signature": headers.signature,
        });
        serde_json::json!({"secret": secret.reveal(), "headers": headers, "body": body}).to_string()
    };
    let signed = both.sign("msg_1", now, body.as_bytes());
    let renamed = Headers {
        id: "msg_2".to_owned(),
        ..signed.clone()
    };
    let cases = [
        case(&new, &signed, body),
        case(&old, &signed, body),
        case(&Secret::new(), &signed, body),
        case(&new, &renamed, body),
        case(&new, &signed, "{}"),
        case(&new, &both.sign("msg_1", now - 301, body.as_bytes()), body),
    ];
    let said = independent(script, &cases.join("\n"));
    assert_eq!(said, "accepted accepted refused refused refused refused");
}

#[test]
fn we_accept_the_signatures_of_an_implementation_that_is_not_ours() {
    let secret = Secret::new();
    let script = r#"
import sys
from datetime import datetime, timezone
from standardwebhooks.webhooks import Webhook
secret, time = sys.stdin.read().split()
print(Webhook(secret).sign("msg_7", datetime.fromtimestamp(int(time), tz=timezone.utc), "{\"a\": 1}"))
"#;
    let now = Utc::now().timestamp();
    let signature = independent(script, &format!("{} {now}", secret.reveal()));
    let headers = Headers {
        id: "msg_7".to_owned(),
        timestamp: now,
        signature,
        traceparent: None,
    };
    Secrets::one(secret)
        .verify(&headers, br#"{"a": 1}"#, now)
        .unwrap();
}
