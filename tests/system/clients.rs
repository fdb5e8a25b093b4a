//! Clients that others' programs make of the OpenAPI document, for Python and TypeScript: they are made without a warning,
//! compile, and have a story told.

use std::path::{Path, PathBuf};

use scripted::ScriptedEngine;
use testkit::postgres::cache;
use tokio::process::Command;

use crate::harness::{Service, small_picture};

/// As `scripts/setup-clients.sh` has them.
const PYTHON: &str = "clients-0.29.1/bin";
const NODE: &str = "openapi-typescript-7.13.0/node_modules";
/// How it is laid out is nobody's business here; and of pictures the generator knows that they are bytes once it is told so.
const SETTINGS: &str = "
post_hooks: []
content_type_overrides:
  image/jpeg: application/octet-stream
  image/png: application/octet-stream
  image/webp: application/octet-stream
  image/gif: application/octet-stream
";

/// A folder of the cache.
fn place(folder: &str) -> PathBuf {
    let place = cache().join(folder);
    assert!(
        place.exists(),
        "{} is not there: run scripts/setup-clients.sh (`make test` does)",
        place.display()
    );
    place
}

fn own(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/system/clients")
        .join(file)
}

/// Runs a program in a folder; what it prints.
async fn run(program: &Path, arguments: &[&str], folder: &Path) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    let done = command.kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&done.stderr);
    let name = program.display();
    assert!(
        done.status.success(),
        "{name} {arguments:?}: {said}\n{complaint}"
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_made_of_the_document_has_a_story_told() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let (at, programs) = (folder.path(), place(PYTHON));
    std::fs::write(at.join("photo.png"), small_picture(1)).unwrap();
    std::fs::write(at.join("settings.yaml"), SETTINGS).unwrap();
    std::fs::copy(own("tell.py"), at.join("tell.py")).unwrap();
    let document = format!("{}/openapi.json", service.address);
    let make = [
        &["generate", "--url", &document, "--meta", "none"][..],
        &[
            "--output-path",
            "made",
            "--config",
            "settings.yaml",
            "--fail-on-warning",
        ],
    ];
    run(&programs.join("openapi-python-client"), &make.concat(), at).await;
    let python = programs.join("python");
    run(
        &python,
        &["-W", "error", "-m", "compileall", "-q", "made"],
        at,
    )
    .await;
    let told = run(&python, &["tell.py", &service.address, "photo.png"], at).await;
    assert!(told.starts_with("Once upon a time"), "{told}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typescript_client_made_of_the_document_has_a_story_told() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let (at, modules) = (folder.path(), place(NODE));
    std::os::unix::fs::symlink(&modules, at.join("node_modules")).unwrap();
    std::fs::write(at.join("package.json"), r#"{"type": "module"}"#).unwrap();
    std::fs::copy(own("tell.ts"), at.join("tell.ts")).unwrap();
    std::fs::copy(own("node.d.ts"), at.join("node.d.ts")).unwrap();
    let document = format!("{}/openapi.json", service.address);
    let programs = modules.join(".bin");
    // what has a default may be left out of a request
    let optional = "--default-non-nullable=false";
    let make = [document.as_str(), optional, "--output", "made.d.ts"];
    run(&programs.join("openapi-typescript"), &make, at).await;
    let judge = [
        &[
            "tell.ts",
            "node.d.ts",
            "made.d.ts",
            "--strict",
            "--target",
            "es2022",
        ][..],
        &["--module", "nodenext", "--lib", "es2022,dom,dom.iterable"],
    ];
    run(&programs.join("tsc"), &judge.concat(), at).await;
    let id = service.accepted(&small_picture(2), &[]).await;
    let picture = format!("{}/v1/stories/{id}/image", service.address);
    let told = ["tell.js", &service.address, &picture];
    let told = run(Path::new("node"), &told, at).await;
    assert!(told.starts_with("Once upon a time"), "{told}");
    service.stop().await;
}
