//! The program itself with pictures in a bucket, and nobody's keys on its command line: who asks the S3 server then.
//! What must stay true: keys are found where Amazon's SDKs find them, and without any the program ends with what to set.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use testkit::{photos, seaweedfs, service};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// The program on a database of its own and this bucket; its home is `home`, and nothing else of this run's environment
/// reaches it.
fn program(database: &str, bucket: &str, home: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_api"));
    program
        .env_clear()
        .args(["--listen", "127.0.0.1:0", "--database-url", database])
        .args(["--log-format", "json", "--s3-bucket", bucket])
        .env("HOME", home)
        // no machine in a cloud: do not wait for its metadata
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    program
}

#[tokio::test]
async fn keys_in_a_profile_file_are_enough_to_keep_a_picture() {
    let endpoint = seaweedfs::endpoint().await;
    let settings = seaweedfs::settings(&endpoint);
    seaweedfs::bucket_at(settings.clone()).await;
    let service = service::Service::start().await;
    let home = TempDir::new().unwrap();
    let [access_key, secret_key] = seaweedfs::keys();
    let profile = format!(
        "[pictures]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
    );
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), profile).unwrap();

    let mut running = program(&service.url, &settings.bucket, home.path())
        .args(["--s3-endpoint", &endpoint])
        .env("AWS_PROFILE", "pictures")
        .spawn()
        .unwrap();
    let mut log = BufReader::new(running.stderr.take().unwrap()).lines();
    let address = loop {
        let line = log.next_line().await.unwrap().expect("it listens");
        let line: Value = serde_json::from_str(&line).expect(&line);
        if let Some(address) = line["fields"]["address"].as_str() {
            break address.to_owned();
        }
    };
    let ready = reqwest::get(format!("http://{address}/readyz"))
        .await
        .unwrap();
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
    let photo = reqwest::multipart::Part::bytes(photos::jpeg()).file_name("photo.jpg");
    let form = reqwest::multipart::Form::new().part("image", photo);
    let sent = reqwest::Client::new().post(format!("http://{address}/v1/stories"));
    let sent = sent.multipart(form).send().await.unwrap();
    assert_eq!(sent.status(), 202, "{}", sent.text().await.unwrap());
    running.kill().await.unwrap();
}

#[tokio::test]
async fn without_any_keys_the_program_ends_and_says_what_to_set() {
    let service = service::Service::start().await;
    let home = TempDir::new().unwrap();
    let ended = program(&service.url, "pictures", home.path())
        .output()
        .await;
    let ended = ended.unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    for word in [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ] {
        assert!(said.contains(word), "{said}");
    }
}
