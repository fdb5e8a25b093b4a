//! Whether a story that is known already may be the answer.
//! The submits ask. What must stay true: who says that he wants it told anew gets it told anew.

use actix_web::HttpRequest;
use actix_web::http::header::CACHE_CONTROL;
use jobs::{StoredImage, StoryRequest};

use crate::service::Service;

/// Whether a story that is known, or is just being told, will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// It will.
    Welcome,
    /// It is to be told anew.
    Refused,
}

impl Reuse {
    /// As the caller says, or whoever runs the service.
    pub(crate) fn of(request: &HttpRequest, service: &Service) -> Self {
        let said = request.headers().get_all(CACHE_CONTROL);
        let mut said = said
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(','));
        let anew = said.any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"));
        if anew || service.config.limits.tell_anew {
            Reuse::Refused
        } else {
            Reuse::Welcome
        }
    }

    /// By what the story is known, if it may be.
    pub(crate) fn telling(self, wishes: &StoryRequest, image: &StoredImage) -> Option<String> {
        (self == Reuse::Welcome).then(|| wishes.telling(&image.sha256))
    }
}
