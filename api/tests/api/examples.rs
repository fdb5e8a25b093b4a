//! Every shape that goes over the wire is shown by an example in the OpenAPI document, and each example is what its schema says.
//! The schemas are read by the few words that ours are made of; one that is not known here fails the test.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::harness::TestService;

/// What a schema says that does not bear on whether a value fits.
const BESIDE: [&str; 7] = [
    "title",
    "description",
    "example",
    "examples",
    "default",
    "propertyNames",
    "contentMediaType",
];

struct Document(Value);

impl Document {
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.0.pointer(&reference[1..]).unwrap(),
            None => schema,
        }
    }

    /// The names of all schemas that bodies are made of.
    fn in_bodies(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for path in self.0["paths"].as_object().unwrap().values() {
            for operation in path.as_object().unwrap().values() {
                let answers = operation["responses"].as_object().unwrap().values();
                for body in answers.chain([&operation["requestBody"]]) {
                    self.names_in(&body["content"], &mut found);
                }
            }
        }
        found
    }

    fn names_in(&self, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let name = reference.rsplit('/').next().unwrap();
                    if found.insert(name.to_owned()) {
                        self.names_in(self.resolve(value), found);
                    }
                }
                members
                    .values()
                    .for_each(|value| self.names_in(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| self.names_in(value, found)),
            _ => {}
        }
    }

    /// Why a value is not what the schema says, first of all that it has no member which the schema does not know.
    fn fault(&self, schema: &Value, value: &Value) -> Option<String> {
        let stranger = value.as_object().and_then(|members| {
            let known = self.members(schema)?;
            members.keys().find(|name| !known.contains(*name))
        });
        match stranger {
            Some(name) => Some(format!("`{name}` is no member")),
            None => self.unlike(schema, value),
        }
    }

    /// The members that an object of this schema can have; none if it can have any, or is none.
    fn members(&self, schema: &Value) -> Option<BTreeSet<String>> {
        let schema = self.resolve(schema);
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts.iter().map(|part| self.members(part));
            return parts
                .collect::<Option<Vec<_>>>()
                .map(|each| each.into_iter().flatten().collect());
        }
        let members = schema["properties"].as_object()?;
        (!schema["additionalProperties"].is_object()).then(|| members.keys().cloned().collect())
    }

    fn unlike(&self, schema: &Value, value: &Value) -> Option<String> {
        let schema = self.resolve(schema);
        let rules = schema.as_object().unwrap().iter();
        let mut rules = rules.filter(|(rule, _)| !BESIDE.contains(&rule.as_str()));
        rules.find_map(|(rule, says)| match rule.as_str() {
            "$ref" => None,
            "oneOf" => {
                let fit = says.as_array().unwrap().iter();
                let fit = fit.filter(|one| self.fault(one, value).is_none()).count();
                (fit != 1).then(|| format!("{value} is {fit} of the possible shapes"))
            }
            "allOf" => {
                let mut parts = says.as_array().unwrap().iter();
                parts.find_map(|part| self.unlike(part, value))
            }
            "properties" => self.unlike_members(says.as_object().unwrap(), value),
            "additionalProperties" if says.is_object() => {
                let mut members = value.as_object().into_iter().flatten();
                members.find_map(|(name, value)| within(name, self.fault(says, value)))
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                let mut items =
                    items.map(|(at, item)| within(&at.to_string(), self.fault(says, item)));
                items.find_map(|fault| fault)
            }
            "additionalProperties" => None,
            _ => unlike_plainly(rule, says, value),
        })
    }

    fn unlike_members(&self, schemas: &Map<String, Value>, value: &Value) -> Option<String> {
        schemas.iter().find_map(|(name, schema)| {
            let value = value.get(name)?;
            within(name, self.fault(schema, value))
        })
    }
}

fn within(name: &str, fault: Option<String>) -> Option<String> {
    fault.map(|fault| format!("{name}: {fault}"))
}

/// What can be said of a value without looking into it.
fn unlike_plainly(rule: &str, says: &Value, value: &Value) -> Option<String> {
    let text = value.as_str();
    let good = match rule {
        "type" => match says {
            Value::Array(types) => types.iter().any(|one| is(value, one.as_str().unwrap())),
            one => is(value, one.as_str().unwrap()),
        },
        "enum" => says.as_array().unwrap().contains(value),
        "required" => {
            let mut names = says
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap());
            names.all(|name| value.get(name).is_some())
        }
        "minimum" => value
            .as_f64()
            .is_none_or(|number| number >= says.as_f64().unwrap()),
        "maximum" => value
            .as_f64()
            .is_none_or(|number| number <= says.as_f64().unwrap()),
        "format" => match says.as_str().unwrap() {
            "uuid" => text.is_none_or(|text| Uuid::parse_str(text).is_ok()),
            "date-time" => text.is_none_or(|text| text.parse::<DateTime<Utc>>().is_ok()),
            "int32" | "int64" | "float" | "double" | "binary" => true,
            other => panic!("the format {other} is not known here"),
        },
        other => panic!("the word {other} is not known here"),
    };
    (!good).then(|| format!("{value} is not as `{rule}` says: {says}"))
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

#[tokio::test]
async fn whatever_is_sent_or_answered_has_an_example_that_is_what_its_schema_says() {
    let service = TestService::start().await;
    let document = Document(service.get("/openapi.json").await.json());
    let names = document.in_bodies();
    assert!(names.len() > 25, "{names:?}");
    let mut faults = Vec::new();
    for name in &names {
        let schema = &document.0["components"]["schemas"][name];
        // names of a closed list show themselves, and bytes cannot be shown
        if schema["enum"].is_array() || schema["format"] == "binary" {
            continue;
        }
        let fault = match &schema["example"] {
            Value::Null => Some("has no example".to_owned()),
            example => document.fault(schema, example),
        };
        faults.extend(within(name, fault));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    service.stop().await;
}

#[test]
fn an_example_that_is_not_what_its_schema_says_is_found_wherever_it_is_wrong() {
    let document = Document(serde_json::json!({"schemas": {
        "Style": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "share": {"type": ["number", "null"], "maximum": 1},
            "state": {"oneOf": [{"type": "null"}, {"type": "string", "enum": ["ready"]}]},
        }},
        "Named": {"allOf": [{"$ref": "#/schemas/Style"}, {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string", "format": "uuid"}, "others": {"type": "array", "items": {"$ref": "#/schemas/Style"}},
        }}]},
    }}));
    let named = serde_json::json!({"$ref": "#/schemas/Named"});
    let good = serde_json::json!({"id": Uuid::nil(), "name": "sea", "share": 0.5, "state": "ready", "others": [{"name": "a"}]});
    assert_eq!(document.fault(&named, &good), None);
    for (member, wrong) in [
        ("id", serde_json::json!("mine")),
        ("name", Value::Null),
        ("share", serde_json::json!(2)),
        ("state", serde_json::json!("lost")),
        ("others", serde_json::json!([{"name": "a"}, {}])),
        ("others", serde_json::json!([{"name": "a", "nam": "a"}])),
        ("stat", Value::Null),
    ] {
        let mut bad = good.clone();
        bad[member] = wrong;
        assert!(document.fault(&named, &bad).is_some(), "{bad}");
    }
}
