//! Files of YAML as values, read by PyYAML, which set-up fetches with what checks manifests.
//! What must stay true: merge keys and anchors are resolved, as those who are given the files resolve them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::postgres::cache;

/// Prints every document of a file as JSON.
const READER: &str = "import json, sys, yaml\n\
                      print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf-8'))), default=str))";

/// The Python of the environment that `scripts/setup-manifests.sh` makes.
pub(crate) fn python() -> PathBuf {
    let python = cache().join("manifests-1.37.0/bin/python");
    assert!(
        python.exists(),
        "{} is not there: run scripts/setup-manifests.sh (`make test` does)",
        python.display()
    );
    python
}

/// The documents of a file, relative to the root.
pub(crate) fn documents(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let read = Command::new(python())
        .args(["-c", READER])
        .arg(&path)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{file}: {complaint}");
    serde_json::from_slice(&read.stdout).unwrap()
}
