//! A submit in JSON: the fields of the form as members of an object, with `image_url` in place of the picture.
//! `form.rs` reads the body. What must stay true: a member means exactly what the field of the same name does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// The members as the texts that a form would have had. `null` is as good as not given.
///
/// # Errors
/// `malformed_request` when it is no object.
pub(super) fn texts(body: &[u8]) -> Result<BTreeMap<String, String>> {
    let members: BTreeMap<String, Value> = serde_json::from_slice(body).map_err(|error| {
        Error::Refused(
            Kind::MalformedRequest,
            format!("the body is no JSON object with the fields of a story: {error}"),
        )
    })?;
    let given = members.into_iter().filter(|(_, value)| !value.is_null());
    Ok(given
        .map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect())
}
