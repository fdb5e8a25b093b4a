//! House rules that no compiler checks: file and function length, module docs, names, arrows between packages,
//! sizes, and that the documents tell the truth about commands. Part of the one test binary, `tests/system`.
//! A failure lists every place at once, as `file: what`, and names the rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_CEILING: usize = 400;
const FUNCTION_CEILING: usize = 60;
const README_CEILING: usize = 150;
const ARCHITECTURE_CEILING: usize = 130;
/// A clone is quick, and the tree can travel to another machine with training data beside it.
const TREE_CEILING: u64 = 48_000_000;
const BUNDLE_CEILING: u64 = 32 * 1024 * 1024;

/// Each package, those of ours that it may reach, and libraries that it must not.
const ARROWS: [(&str, &[&str], &[&str]); 11] = [
    (
        "api",
        &["jobs", "operation", "outbound", "pictures"],
        &["tch", "torch-sys"],
    ),
    ("embedded", &[], &["actix-web"]),
    (
        "fuzz",
        &[
            "api",
            "jobs",
            "models",
            "operation",
            "originals",
            "outbound",
            "pictures",
            "training",
        ],
        &["libfuzzer-sys"],
    ),
    ("jobs", &[], &["actix-web", "image", "reqwest", "tch"]),
    ("models", &["pictures"], &["actix-web", "sqlx"]),
    ("operation", &["jobs", "pictures"], &["actix-web", "tch"]),
    (
        "originals",
        &["models", "pictures", "training"],
        &["actix-web", "sqlx"],
    ),
    ("outbound", &[], &["actix-web", "sqlx", "tch"]),
    ("pictures", &[], &["actix-web", "sqlx", "tch"]),
    ("training", &["models", "pictures"], &["actix-web", "sqlx"]),
    (
        "worker",
        &["jobs", "models", "operation", "outbound", "pictures"],
        &["actix-web"],
    ),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] = [
    "utils", "util", "common", "helpers", "helper", "types", "core", "manager", "mod",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that is or would be committed, relative to the root.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git cannot list the files of {}",
        root().display()
    );
    let listed: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    listed
        .into_iter()
        .filter(|file| root().join(file).is_file())
        .collect()
}

pub(super) fn files_ending(endings: &[&str]) -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|file| endings.iter().any(|ending| file.ends_with(ending)))
        .filter_map(|file| {
            fs::read_to_string(root().join(&file))
                .ok()
                .map(|text| (file, text))
        })
        .collect()
}

#[track_caller]
pub(super) fn assert_none(rule: &str, offenders: &[String]) {
    assert!(
        offenders.is_empty(),
        "{rule}:\n  {}",
        offenders.join("\n  ")
    );
}

#[test]
fn no_file_is_longer_than_its_ceiling() {
    let ceilings = [
        ("README.md", README_CEILING),
        ("ARCHITECTURE.md", ARCHITECTURE_CEILING),
    ];
    let offenders: Vec<String> = files_ending(&[
        ".rs",
        ".js",
        ".css",
        ".sql",
        ".sh",
        ".html",
        "README.md",
        "ARCHITECTURE.md",
    ])
    .into_iter()
    .filter_map(|(file, text)| {
        let ceiling = ceilings
            .iter()
            .find(|(name, _)| file == *name)
            .map_or(FILE_CEILING, |(_, ceiling)| *ceiling);
        let lines = text.lines().count();
        (lines > ceiling).then(|| format!("{file}: {lines} lines, at most {ceiling}"))
    })
    .collect();
    assert_none("split these by responsibility", &offenders);
}

#[test]
fn no_function_is_longer_than_its_ceiling() {
    let mut offenders = Vec::new();
    for (file, text) in files_ending(&[".rs"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let Some(indent) = function_indent(line) else {
                continue;
            };
            let close = format!("{}}}", " ".repeat(indent));
            let Some(length) = lines[start..].iter().position(|line| **line == close) else {
                continue;
            };
            if length + 1 > FUNCTION_CEILING {
                offenders.push(format!(
                    "{file}:{}: {} lines, at most {FUNCTION_CEILING}",
                    start + 1,
                    length + 1
                ));
            }
        }
    }
    assert_none("split these functions", &offenders);
}

/// How deep a line that opens a function is indented; none for other lines and for functions on one line.
fn function_indent(line: &str) -> Option<usize> {
    let opens = beyond_fn(line).is_some() && !line.ends_with(';') && !line.ends_with('}');
    opens.then(|| line.len() - line.trim_start().len())
}

/// What follows `fn` in a line that a function begins in.
pub(super) fn beyond_fn(line: &str) -> Option<&str> {
    const BEFORE: [&str; 7] = [
        "pub",
        "pub(crate)",
        "pub(super)",
        "async",
        "const",
        "unsafe",
        "default",
    ];
    let (before, beyond) = line.trim_start().split_once("fn ")?;
    let begins = before.split_whitespace().all(|word| BEFORE.contains(&word));
    begins.then_some(beyond)
}

#[test]
fn every_rust_file_says_what_it_is() {
    let offenders: Vec<String> = files_ending(&[".rs"])
        .into_iter()
        .filter_map(|(file, text)| {
            // a crate opens with its README
            if text.starts_with("#![doc = include_str!(\"../README.md\")]") {
                return None;
            }
            let lines = text
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .count();
            // nobody calls a test: one sentence may say it all
            let least = if is_test(&file) { 1 } else { 2 };
            (!(least..=8).contains(&lines)).then(|| format!("{file}: {lines} lines"))
        })
        .collect();
    assert_none(
        "a file opens with a module doc of 2 to 8 lines (tests: 1 to 8)",
        &offenders,
    );
}

fn is_test(file: &str) -> bool {
    file.starts_with("tests/") || file.contains("/tests/") || file.ends_with("/tests.rs")
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let offenders: Vec<String> = files()
        .into_iter()
        .filter(|file| {
            let path = Path::new(file);
            path.components().any(|part| {
                let name = part.as_os_str().to_string_lossy();
                EMPTY_NAMES.contains(&name.split('.').next().unwrap_or_default())
            }) && (file.ends_with(".rs") || file.ends_with(".js"))
        })
        .collect();
    assert_none("call these after what they hold", &offenders);
}

#[test]
fn no_file_speaks_of_the_machine_it_was_written_on() {
    // In halves, so that this file does not speak of it either.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("bash_", "jobs"),
        concat!("artifact", "ory"),
        concat!("/.lib", "rary"),
    ];
    let mut offenders = Vec::new();
    for (file, text) in files_ending(&[""]) {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) && file != "Cargo.lock" {
                offenders.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none("a path of one machine is of no use on another", &offenders);
}

#[test]
fn sql_is_written_in_the_job_store_only() {
    let offenders: Vec<String> = files_ending(&[".rs"])
        .into_iter()
        .filter(|(file, text)| {
            let allowed = file.starts_with("jobs/") || file == "tests/system/tidy.rs";
            !allowed && (text.contains("sqlx::query") || text.contains("query!("))
        })
        .map(|(file, _)| file)
        .collect();
    assert_none("ask the job store instead", &offenders);
}

#[test]
fn files_that_are_kept_are_put_in_place_by_one_function() {
    let ours = ["models/src/", "training/src/", "originals/src/", "src/"];
    let offenders: Vec<String> = files_ending(&[".rs"])
        .into_iter()
        .filter(|(file, text)| {
            let inside = ours.iter().any(|place| file.starts_with(place));
            inside && file != "models/src/durable.rs" && text.contains("fs::rename(")
        })
        .map(|(file, _)| file)
        .collect();
    assert_none(
        "a power cut can take such a file back: use models::durable",
        &offenders,
    );
}

/// Every package that a package reaches, itself included; test-only dependencies do not count.
fn dependencies(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            package,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_packages_keep_to_their_arrows() {
    let mut offenders = Vec::new();
    for (package, reached, foreign) in &ARROWS {
        let tree = dependencies(package);
        assert!(
            tree.contains(*package),
            "cargo tree says nothing of {package}"
        );
        let ours = tree.iter().filter(|name| {
            let ours = root().join(name).join("Cargo.toml").is_file();
            ours && *name != package && !reached.contains(&name.as_str())
        });
        offenders.extend(ours.map(|name| format!("{package} reaches {name}")));
        let foreign = foreign.iter().filter(|name| tree.contains(**name));
        offenders.extend(foreign.map(|name| format!("{package} reaches {name}")));
    }
    assert_none("see ARCHITECTURE.md for the arrows", &offenders);
}

#[test]
fn every_package_has_its_arrows() {
    let packages = files_ending(&["/Cargo.toml"]).into_iter();
    let nameless: Vec<String> = packages
        .filter_map(|(file, _)| file.strip_suffix("/Cargo.toml").map(str::to_owned))
        .filter(|package| !package.starts_with("testkit"))
        .filter(|package| !ARROWS.iter().any(|(known, ..)| known == package))
        .collect();
    assert_none("name these in ARROWS", &nameless);
}

#[test]
fn the_clone_stays_small() {
    let size = |prefix: &str| -> u64 {
        let inside = files().into_iter().filter(|file| file.starts_with(prefix));
        inside
            .map(|file| fs::metadata(root().join(file)).unwrap().len())
            .sum()
    };
    let (tree, bundle) = (size(""), size("models/bundles/starter/"));
    assert!(
        tree <= TREE_CEILING,
        "the working tree has {tree} bytes, at most {TREE_CEILING}"
    );
    assert!(
        bundle <= BUNDLE_CEILING,
        "the starter bundle has {bundle} bytes, at most {BUNDLE_CEILING}"
    );
}

#[test]
fn every_make_target_in_the_documents_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.strip_prefix(".PHONY: "))
        .collect();
    let mut offenders = Vec::new();
    for (file, text) in files_ending(&[".md"]) {
        for quoted in text.split('`').skip(1).step_by(2) {
            let Some(target) = quoted
                .strip_prefix("make ")
                .and_then(|rest| rest.split_whitespace().next())
            else {
                continue;
            };
            if !targets.contains(target) {
                offenders.push(format!("{file}: make {target}"));
            }
        }
    }
    assert_none("no such target in the Makefile", &offenders);
}
