//! What the document says of parameters in addresses and headers: one that may be left out is left out, it is never `null`; and an
//! address that cannot be read is refused, whatever it leads to.
//! `openapi.rs` has it put into every operation, because an `Option` is described as in JSON, where there is such a thing. What
//! must stay true: a program that is made from the document sends nothing there that the handlers cannot read.

use utoipa::Modify;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr, Schema};

use super::security::{operations, say};

/// Puts it in.
pub(super) struct Parameters;

impl Modify for Parameters {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            for (_, operation) in operations(item) {
                let parameters = operation.parameters.iter_mut().flatten();
                for schema in parameters.filter_map(|parameter| parameter.schema.as_mut()) {
                    never_null(schema);
                }
                if !operation.responses.responses.contains_key("400") {
                    say(operation, "400", "`malformed_request`");
                }
            }
        }
    }
}

fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|one| *one != Type::Null);
                if let [one] = types.as_slice() {
                    object.schema_type = SchemaType::Type(one.clone());
                }
            }
        }
        RefOr::T(Schema::OneOf(one_of)) => {
            one_of.items.retain(|item| !is_null(item));
            if let [one] = one_of.items.as_slice() {
                *schema = one.clone();
            }
        }
        _ => {}
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(Schema::Object(object)) = schema else {
        return false;
    };
    object.schema_type == SchemaType::Type(Type::Null)
}
