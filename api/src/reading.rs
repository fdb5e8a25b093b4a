//! What is read of a request before the database is asked: its headers, its cursor, its body.
//! The handlers beside it use the same functions; from outside, `fuzz` holds them to any bytes that somebody sends. What must
//! stay true: nothing here reaches a store or another machine.

pub use crate::cookies::session;
pub use crate::etag::{known as known_versions, matches as knows_version, of as version_of};
pub use crate::events::last_event;
pub use crate::fields::request_of;
pub use crate::form::{FileField, FormBody};
pub use crate::gallery::{cursor_of, place_of};
pub use crate::image::{Wanted, wanted};
pub use crate::origin::origin;
pub use crate::repeated::idempotency_key;
pub use crate::wait::preferred;
