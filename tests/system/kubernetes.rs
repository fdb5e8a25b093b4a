//! The manifests in `ops/kubernetes` against the schemas of Kubernetes, against each other and against the programs.
//! KEDA's kind has no schema in a package: its few fields are looked at by hand. What must stay true: no secret is written there.
//! That a cluster takes them is not proven here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::tidy::{assert_none, files_ending};
use super::yaml;

/// The oldest version that the manifests are meant for, and the newest whose schemas the package has.
const VERSIONS: [&str; 2] = ["1.29", "1.37"];
/// Kinds that Kubernetes itself does not know.
const FOREIGN: [&str; 2] = ["Kustomization", "ScaledObject"];
/// Judges each file by the schemas of a version, fields that do not exist included.
const JUDGE: &str = r#"
import sys, yaml, kubernetes_validate
version, foreign, wrong = sys.argv[1], sys.argv[2].split(","), []
for file in sys.argv[3:]:
    for document in yaml.safe_load_all(open(file, encoding="utf-8")):
        if document["kind"] in foreign:
            continue
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except Exception as error:
            wrong.append(f"{file} ({document['kind']}): {getattr(error, 'message', error)}")
print("\n".join(wrong))
"#;
/// Settings that libraries read, not we.
const OF_OTHERS: [&str; 1] = ["OMP_NUM_THREADS"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/kubernetes")
}

fn files() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every object with its kind, `kustomization.yaml` aside.
fn objects() -> Vec<(String, Value)> {
    let manifests = files()
        .into_iter()
        .filter(|file| file != "kustomization.yaml");
    let documents = manifests.flat_map(|file| yaml::documents(&format!("ops/kubernetes/{file}")));
    let kinds = documents.map(|document| (document["kind"].as_str().unwrap().to_owned(), document));
    kinds.collect()
}

fn of_kind<'a>(objects: &'a [(String, Value)], kind: &str) -> Vec<&'a Value> {
    let wanted = objects.iter().filter(|(found, _)| found == kind);
    wanted.map(|(_, object)| object).collect()
}

/// What runs: the name of each workload with what is said of its pods.
fn pods() -> Vec<(String, Value)> {
    let run = objects()
        .into_iter()
        .filter(|(kind, _)| kind == "Deployment" || kind == "Job");
    let named = run.map(|(_, object)| (name(&object), object["spec"]["template"].clone()));
    named.collect()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn every_manifest_is_one_by_the_schemas_of_kubernetes() {
    for version in VERSIONS {
        let judged = Command::new(yaml::python())
            .args(["-c", JUDGE, version, &FOREIGN.join(",")])
            .args(files().iter().map(|file| folder().join(file)))
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success(), "{complaint}");
        let wrong = String::from_utf8(judged.stdout).unwrap();
        assert_eq!(wrong.trim(), "", "Kubernetes {version}");
    }
}

#[test]
fn the_kustomization_names_every_manifest_and_gives_every_image_a_version() {
    let kustomization = yaml::documents("ops/kubernetes/kustomization.yaml").remove(0);
    let resources = list(&kustomization["resources"]);
    let mut resources: Vec<&str> = resources.iter().filter_map(Value::as_str).collect();
    resources.sort_unstable();
    let mut manifests = files();
    manifests.retain(|file| file != "kustomization.yaml");
    assert_eq!(resources, manifests);
    let versions = list(&kustomization["images"]).iter();
    let versions: BTreeSet<&str> = versions
        .filter(|image| image["newTag"].is_string())
        .filter_map(|image| image["name"].as_str())
        .collect();
    for (name, pod) in pods() {
        for container in list(&pod["spec"]["containers"]) {
            let image = container["image"].as_str().unwrap();
            assert!(versions.contains(image), "{name}: {image} has no version");
        }
    }
}

#[test]
fn no_pod_may_do_more_than_the_strictest_standard_allows() {
    let mut offenders = Vec::new();
    for (name, pod) in pods() {
        let spec = &pod["spec"];
        let mut ask = |holds: bool, what: &str| {
            if !holds {
                offenders.push(format!("{name}: {what}"));
            }
        };
        let own = &spec["securityContext"];
        ask(own["runAsNonRoot"] == true, "may run as root");
        ask(
            own["runAsUser"] == 10001,
            "does not run as the image's user",
        );
        ask(
            own["seccompProfile"]["type"] == "RuntimeDefault",
            "may call everything",
        );
        ask(
            spec["automountServiceAccountToken"] == false,
            "may ask Kubernetes",
        );
        for space in ["hostNetwork", "hostPID", "hostIPC"] {
            ask(spec[space].is_null(), "sees the machine");
        }
        let volumes = list(&spec["volumes"]).iter();
        let fleeting = volumes.map(|volume| volume["emptyDir"]["sizeLimit"].is_string());
        ask(
            fleeting.into_iter().all(|fleeting| fleeting),
            "keeps something, or without a limit",
        );
        for container in list(&spec["containers"]) {
            let own = &container["securityContext"];
            ask(
                own["readOnlyRootFilesystem"] == true,
                "writes into its own files",
            );
            ask(own["allowPrivilegeEscalation"] == false, "may become more");
            ask(
                own["capabilities"]["drop"] == serde_json::json!(["ALL"]),
                "has capabilities",
            );
            ask(
                own["capabilities"]["add"].is_null(),
                "is given capabilities",
            );
            let sizes = &container["resources"];
            ask(sizes["limits"]["memory"].is_string(), "may take all memory");
            ask(
                sizes["requests"]["cpu"].is_string(),
                "does not say what it needs",
            );
        }
    }
    assert_none("see ops/kubernetes", &offenders);
}

#[test]
fn what_is_served_is_asked_whether_it_lives_and_whether_it_can_work() {
    for (name, pod) in pods().into_iter().filter(|(name, _)| name != "migrate") {
        let container = &pod["spec"]["containers"][0];
        let port = container["ports"][0]["name"].as_str().unwrap();
        for (probe, path) in [
            ("livenessProbe", "/livez"),
            ("startupProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ] {
            let asked = &container[probe]["httpGet"];
            assert_eq!(
                (&asked["path"], &asked["port"]),
                (&path.into(), &port.into()),
                "{name}: {probe}"
            );
        }
        let number = container["ports"][0]["containerPort"].to_string();
        let scraped = &pod["metadata"]["annotations"]["prometheus.io/port"];
        assert_eq!(scraped, number.as_str(), "{name}");
    }
}

#[test]
fn a_stop_is_given_the_time_that_it_takes() {
    let value = |pod: &Value, wanted: &str| -> Option<u64> {
        let mut given = list(&pod["spec"]["containers"][0]["env"]).iter();
        let found = given.find(|given| given["name"] == wanted)?;
        found["value"].as_str()?.parse().ok()
    };
    let pods = pods();
    let pod = |wanted: &str| &pods.iter().find(|(name, _)| name == wanted).unwrap().1;
    let grace = |wanted: &str| {
        pod(wanted)["spec"]["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap()
    };
    let drain = value(pod("worker"), "STORYTELLER_DRAIN_SECONDS").expect("the drain is said");
    assert!(
        grace("worker") >= drain + 10,
        "the rest is given back after {drain} s"
    );
    // then ten seconds for connections that are busy
    let wait = value(pod("api"), "STORYTELLER_STOP_WAIT_SECONDS").expect("the wait is said");
    assert!(grace("api") >= wait + 15);
    assert!(grace("dispatcher") >= 20, "a delivery takes 15 s at most");
}

#[test]
fn what_selects_pods_finds_them() {
    let objects = objects();
    let labels: Vec<Value> = pods()
        .into_iter()
        .map(|(_, pod)| pod["metadata"]["labels"].clone())
        .collect();
    let deployments = of_kind(&objects, "Deployment").into_iter();
    let budgets = of_kind(&objects, "PodDisruptionBudget").into_iter();
    let of_labels = deployments.chain(budgets);
    let of_labels =
        of_labels.map(|object| (name(object), &object["spec"]["selector"]["matchLabels"]));
    let services = of_kind(&objects, "Service").into_iter();
    let services = services.map(|object| (name(object), &object["spec"]["selector"]));
    let selectors: Vec<_> = of_labels.chain(services).collect();
    assert_eq!(selectors.len(), 5, "three deployments, a budget, a service");
    for (name, selector) in selectors {
        assert!(labels.contains(selector), "{name} selects {selector}");
        assert_eq!(selector["app.kubernetes.io/component"], name.as_str());
    }
    // a budget that equals the number would never let a machine be emptied
    let api = of_kind(&objects, "Deployment")
        .into_iter()
        .find(|object| name(object) == "api");
    let least = &of_kind(&objects, "PodDisruptionBudget")[0]["spec"]["minAvailable"];
    assert!(api.unwrap()["spec"]["replicas"].as_u64() > least.as_u64());
}

#[test]
fn secrets_are_named_and_never_written_and_only_the_dispatcher_signs() {
    let objects = objects();
    assert!(
        of_kind(&objects, "Secret").is_empty(),
        "a secret is made by hand"
    );
    let settings = &of_kind(&objects, "ConfigMap")[0]["data"];
    let ours: Vec<(String, String)> = files_ending(&[".rs"]);
    let mut said: BTreeSet<String> = settings.as_object().unwrap().keys().cloned().collect();
    for (name, pod) in pods() {
        let container = &pod["spec"]["containers"][0];
        for given in list(&container["env"]) {
            said.insert(given["name"].as_str().unwrap().to_owned());
        }
        let secrets = list(&container["envFrom"]).iter();
        let secrets: Vec<&str> = secrets
            .filter_map(|from| from["secretRef"]["name"].as_str())
            .collect();
        let wanted: &[&str] = match name.as_str() {
            "dispatcher" => &["servers", "webhooks"],
            _ => &["servers"],
        };
        assert_eq!(secrets, wanted, "{name}");
    }
    for hidden in [
        "DATABASE_URL",
        "AMQP_URL",
        "AWS_SECRET_ACCESS_KEY",
        "STORYTELLER_WEBHOOK_SECRET",
    ] {
        assert!(!said.contains(hidden), "{hidden} belongs into a secret");
    }
    let known = |wanted: &String| {
        let quoted = format!("\"{wanted}\"");
        OF_OTHERS.contains(&wanted.as_str()) || ours.iter().any(|(_, text)| text.contains(&quoted))
    };
    let unknown: Vec<String> = said.into_iter().filter(|name| !known(name)).collect();
    assert_none("no program reads these", &unknown);
}

#[test]
fn an_api_that_a_whole_cluster_can_reach_asks_for_keys() {
    let pods = pods();
    let (_, api) = pods.iter().find(|(name, _)| name == "api").unwrap();
    assert_eq!(
        api["spec"]["containers"][0]["args"],
        serde_json::json!(["--require-keys"])
    );
}

/// By hand what a schema would say, by KEDA's documents of version 2.
#[test]
fn workers_are_counted_by_the_work_that_waits() {
    let objects = objects();
    let scaled = of_kind(&objects, "ScaledObject")[0];
    assert_eq!(scaled["apiVersion"], "keda.sh/v1alpha1");
    let spec = &scaled["spec"];
    let known = [
        "scaleTargetRef",
        "minReplicaCount",
        "maxReplicaCount",
        "pollingInterval",
        "advanced",
        "triggers",
    ];
    for field in spec.as_object().unwrap().keys() {
        assert!(known.contains(&field.as_str()), "{field}");
    }
    let behaviour = &spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"];
    for way in ["scaleUp", "scaleDown"] {
        assert!(
            behaviour[way]["stabilizationWindowSeconds"].is_u64(),
            "{way}"
        );
        for policy in list(&behaviour[way]["policies"]) {
            assert!(
                policy["type"] == "Pods" || policy["type"] == "Percent",
                "{policy}"
            );
            assert!(
                policy["value"].is_u64() && policy["periodSeconds"].is_u64(),
                "{policy}"
            );
        }
    }
    let target = spec["scaleTargetRef"]["name"].as_str().unwrap();
    let deployments = of_kind(&objects, "Deployment");
    let worker = deployments.iter().find(|object| name(object) == target);
    let replicas = &worker.expect("what is scaled is there")["spec"]["replicas"];
    assert!(
        replicas.is_null(),
        "KEDA says how many there are, and nobody else"
    );
    let (least, most) = (&spec["minReplicaCount"], &spec["maxReplicaCount"]);
    assert!(least.as_u64().unwrap() >= 1 && most.as_u64() > least.as_u64());
}

#[test]
fn what_keda_asks_is_the_backlog_and_what_is_no_number_is_no_answer() {
    let objects = objects();
    let trigger = &of_kind(&objects, "ScaledObject")[0]["spec"]["triggers"][0];
    // the number of workers times what it takes them: `AverageValue` would forget that there are several
    assert_eq!(
        (&trigger["type"], &trigger["metricType"]),
        (&"prometheus".into(), &"Value".into())
    );
    let told = trigger["metadata"].as_object().unwrap();
    assert!(
        told.values().all(Value::is_string),
        "KEDA reads texts: {told:?}"
    );
    assert!(told["threshold"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    assert_eq!(told["ignoreNullValues"], "false", "nothing is not nought");
    let query = told["query"].as_str().unwrap();
    let metric = query
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .find(|word| word.starts_with("storyteller_"));
    let metrics = operation::metrics::METRICS.names();
    assert!(
        metrics.iter().any(|name| Some(name.as_str()) == metric),
        "{query}"
    );
    assert!(
        query.ends_with(">= 0)"),
        "what is no number is nothing: {query}"
    );
}
