//! Turns the fields of a submit into a request for a story.
//! `submit.rs` calls it; what a field may be is decided in `jobs::request`, here only what is said about one that does
//! not exist. What must stay true: every problem names its field.

use jobs::StoryRequest;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::nearest::nearest;

/// The fields besides those of the request itself.
const PICTURE: [&str; 3] = ["image", "image_url", "upload"];

/// The request that these fields describe.
///
/// # Errors
/// `invalid_parameter` naming the first field that is unknown or not what it should be.
pub fn request_of(fields: Map<String, Value>) -> Result<StoryRequest> {
    let known = || StoryRequest::fields();
    if let Some(stranger) = fields
        .keys()
        .find(|name| !known().any(|known| known == *name))
    {
        return Err(no_field(stranger));
    }
    let request = StoryRequest::read(fields)?;
    request.validate()?;
    Ok(request)
}

fn no_field(field: &str) -> Error {
    if field == "image" {
        let message = "`image` is a file of a form: send multipart/form-data, or the picture's address in `image_url`";
        return Error::field(field, message);
    }
    let known: Vec<_> = PICTURE.into_iter().chain(StoryRequest::fields()).collect();
    let meant = nearest(field, known.iter().copied()).map_or_else(
        || format!("the fields are {}", known.join(", ")),
        |known| format!("did you mean `{known}`?"),
    );
    Error::field(field, format!("there is no field `{field}`; {meant}"))
}
