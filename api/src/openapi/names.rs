//! What the document calls each operation: by its tag and its handler, because two handlers may have one name.
//! `openapi.rs` has it put into every operation. What must stay true: no name is there twice, or no client can be made of the
//! document.

use utoipa::Modify;
use utoipa::openapi::OpenApi;

use super::security::operations;

/// Puts it in.
pub(super) struct Names;

impl Modify for Names {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            for (_, operation) in operations(item) {
                let tag = operation.tags.iter().flatten().next();
                let name = operation.operation_id.as_ref();
                if let (Some(tag), Some(name)) = (tag, name) {
                    operation.operation_id = Some(format!("{tag}_{name}"));
                }
            }
        }
    }
}
