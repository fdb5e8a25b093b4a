//! What an address takes: which scope, and whose thing it is about.
//! The door asks for every request. What must stay true: everything under `/v1` takes a key but for what is named here, looking
//! takes the least of them, and the path that is read here is the one by which the handler is found.

use actix_web::http::Method;
use jobs::Scope;
use uuid::Uuid;

use crate::error::{Error, Kind};

/// What is said of an id that nobody can have.
pub(crate) const NO_SUCH_ID: &str =
    "there is no such thing: its address ends in the id that the submit answered";

/// What a request takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The least scope; none takes no key at all.
    pub(crate) least: Option<Scope>,
    /// What it is about.
    pub(crate) belongs: Option<Belongs>,
    /// It is about something that cannot be there.
    pub(crate) nothing: bool,
    /// It hands something in.
    pub(crate) submits: bool,
}

/// Something that has an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// A story.
    Story(Uuid),
    /// The picture of a story to be looked at, which may be on show.
    Picture(Uuid),
    /// A batch.
    Batch(Uuid),
}

impl Belongs {
    /// What is said of one that is another's: the same as of one that is not there.
    pub(crate) fn missing(self) -> Error {
        match self {
            Belongs::Story(id) | Belongs::Picture(id) => Error::no_story(id),
            Belongs::Batch(id) => Error::Refused(Kind::NotFound, format!("there is no batch {id}")),
        }
    }
}

impl Access {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let looks = matches!(*method, Method::GET | Method::HEAD);
        let mut access = Access {
            least: Some(if looks { Scope::Read } else { Scope::Write }),
            belongs: None,
            nothing: false,
            submits: false,
        };
        let Some(parts) = path.strip_prefix("/v1/") else {
            // the page, health, numbers, the documents: what they show is nobody's
            access.least = None;
            return access;
        };
        let parts: Vec<&str> = parts.split('/').collect();
        match parts.as_slice() {
            // what its owners let everybody see
            ["gallery"] if looks => access.least = None,
            // who logs in or out says himself who he is
            ["session"] if !looks => access.least = None,
            [kind @ ("stories" | "batches"), id, rest @ ..] => {
                access.belongs = plain(id).map(|id| match (*kind, rest) {
                    ("batches", _) => Belongs::Batch(id),
                    (_, ["image"]) if looks => Belongs::Picture(id),
                    _ => Belongs::Story(id),
                });
                access.nothing = access.belongs.is_none();
                // it is told again, and costs what it cost before
                access.submits = rest == ["retry"];
            }
            ["stories" | "batches" | "styles" | "uploads"] => {
                access.submits = *method == Method::POST;
            }
            _ => {}
        }
        access
    }
}

/// An id in plain digits: whatever else a handler might read as one belongs to nobody here.
fn plain(id: &str) -> Option<Uuid> {
    let digits = id
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    Uuid::parse_str(id).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11";

    fn of(method: Method, path: &str) -> Access {
        Access::of(&method, &path.replace("ID", ID))
    }

    #[test]
    fn looking_takes_the_least_and_changing_takes_more() {
        assert_eq!(of(Method::GET, "/v1/styles").least, Some(Scope::Read));
        assert_eq!(of(Method::HEAD, "/v1/stories").least, Some(Scope::Read));
        assert_eq!(of(Method::POST, "/v1/stories").least, Some(Scope::Write));
        assert_eq!(of(Method::PATCH, "/v1/anything").least, Some(Scope::Write));
        assert!(of(Method::POST, "/v1/stories").submits);
        assert!(of(Method::POST, "/v1/uploads").submits);
        assert!(of(Method::POST, "/v1/stories/ID/retry").submits);
        assert!(!of(Method::POST, "/v1/stories/ID/cancel").submits);
        for open in ["/", "/metrics", "/docs/errors", "/v1/gallery"] {
            assert_eq!(of(Method::GET, open).least, None, "{open}");
        }
        assert_eq!(of(Method::POST, "/v1/gallery").least, Some(Scope::Write));
    }

    #[test]
    fn whatever_has_an_id_has_an_owner() {
        let id = Uuid::parse_str(ID).expect("it is one");
        for path in [
            "/v1/stories/ID",
            "/v1/stories/ID/events",
            "/v1/stories/ID/x/1/y",
        ] {
            assert_eq!(of(Method::GET, path).belongs, Some(Belongs::Story(id)));
        }
        let image = "/v1/stories/ID/image";
        assert_eq!(of(Method::GET, image).belongs, Some(Belongs::Picture(id)));
        assert_eq!(of(Method::DELETE, image).belongs, Some(Belongs::Story(id)));
        assert_eq!(
            of(Method::GET, "/v1/batches/ID").belongs,
            Some(Belongs::Batch(id))
        );
        for odd in [
            "/v1/stories/{ID}",
            "/v1/stories/urn:uuid:ID",
            "/v1/stories/%49D",
            "/v1/batches/",
        ] {
            let access = of(Method::GET, odd);
            assert!(access.nothing && access.belongs.is_none(), "{odd}");
        }
    }
}
