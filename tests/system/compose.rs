//! What `docker-compose.yml` lets its services do: as little as there is.
//! Only the file is proven here, not that each image lives with it. What must stay true: every exception has a reason beside it.

use serde_json::Value;

use super::tidy::assert_none;
use super::yaml;

/// A service that a promise does not hold for, the promise, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    (
        "worker-gpu",
        "writes nothing into its own files",
        "NVIDIA's toolkit puts the card's libraries into the loader's cache of the container",
    ),
    (
        "migrate",
        "is started again when it ends",
        "it has ended when the tables are of this version",
    ),
];

/// What is promised, and whether it holds for a service.
type Promise = (&'static str, fn(&Value) -> bool);

/// What is promised of every service.
const PROMISES: [Promise; 8] = [
    ("runs as somebody who is not root", is_nobody_great),
    ("writes nothing into its own files", |service| {
        service["read_only"] == true && has(&service["tmpfs"], "/tmp")
    }),
    ("has no capability", |service| {
        has(&service["cap_drop"], "ALL") && service["cap_add"].is_null()
    }),
    ("gets no privileges that it has not", |service| {
        has(&service["security_opt"], "no-new-privileges:true") && service["privileged"].is_null()
    }),
    ("sees nothing of the machine", |service| {
        let own = ["network_mode", "pid", "ipc", "userns_mode", "devices"];
        own.iter().all(|name| service[*name].is_null()) && !mounts(service, "docker.sock")
    }),
    ("is reached from this machine only", |service| {
        texts(&service["ports"]).all(|port| port.starts_with("127.0.0.1:"))
    }),
    ("writes a log that ends", |service| {
        let log = &service["logging"]["options"];
        log["max-size"].is_string() && log["max-file"].is_string()
    }),
    ("is started again when it ends", |service| {
        service["restart"] == "unless-stopped"
    }),
];

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn has(list: &Value, wanted: &str) -> bool {
    texts(list).any(|text| text == wanted)
}

fn mounts(service: &Value, what: &str) -> bool {
    texts(&service["volumes"]).any(|volume| volume.contains(what))
}

/// A user by name or number, neither of them root's.
fn is_nobody_great(service: &Value) -> bool {
    let user = service["user"].as_str().unwrap_or_default();
    let name = user.split(':').next().unwrap_or_default();
    !matches!(name, "" | "0" | "root")
}

fn services() -> Vec<(String, Value)> {
    let file = yaml::documents("docker-compose.yml").remove(0);
    let services = file["services"].as_object().unwrap().clone();
    services.into_iter().collect()
}

#[test]
fn every_service_of_the_compose_file_may_do_as_little_as_there_is() {
    let services = services();
    assert!(services.len() >= 10, "{services:?}");
    let mut offenders = Vec::new();
    for (name, service) in &services {
        for (promise, holds) in PROMISES {
            let excepted = EXCEPTIONS
                .iter()
                .any(|(who, what, _)| who == name && *what == promise);
            // an exception that is none any more is taken out of the list
            if holds(service) == excepted {
                offenders.push(format!("{name}: {promise}"));
            }
        }
    }
    assert_none(
        "each of these is broken, or no exception any more",
        &offenders,
    );
}

#[test]
fn whoever_starts_open_to_everyone_is_published_on_loopback_and_says_so() {
    let dockerfile = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/Dockerfile.api");
    let dockerfile = std::fs::read_to_string(dockerfile).unwrap();
    assert!(
        dockerfile.contains("CMD [\"--open-to-everyone\"]"),
        "{dockerfile}"
    );
    let compose = concat!(env!("CARGO_MANIFEST_DIR"), "/docker-compose.yml");
    let compose = std::fs::read_to_string(compose).unwrap();
    let lines: Vec<&str> = compose.lines().collect();
    let port = lines.iter().position(|line| line.contains("API_PORTS"));
    let port = port.expect("the API is published");
    let beside = lines[port - 4..port].join("\n");
    assert!(lines[port].contains("\"127.0.0.1:$"), "{}", lines[port]);
    assert!(beside.contains("--open-to-everyone"), "{beside}");
}

#[test]
fn what_the_containers_run_as_is_what_the_dockerfiles_have_made() {
    for file in ["docker/Dockerfile.api", "docker/Dockerfile.worker"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let user = text.lines().find_map(|line| line.strip_prefix("USER "));
        let user = user.unwrap_or_default();
        let kind = if file.ends_with("api") {
            "storyteller-api"
        } else {
            "storyteller-worker"
        };
        let ours = services().into_iter().filter(|(_, service)| {
            service["image"]
                .as_str()
                .is_some_and(|image| image.starts_with(kind))
        });
        let ours: Vec<_> = ours.collect();
        assert!(ours.len() >= 2, "{ours:?}");
        for (name, service) in ours {
            assert_eq!(service["user"], user, "{name}");
        }
    }
}
