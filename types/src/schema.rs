//! JSON Schemas of values that are a text outside and checked when they are read: what the document of the REST API says of them.

/// The schema of a type that is written as a text: its name, what the text looks like (a regular expression as ECMA-262 has them), and
/// an example.
macro_rules! text_schema {
    ($type:ty, $name:literal, $pattern:literal, $example:literal) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": $pattern, "examples": [$example]})
            }
        }
    };
}
pub(crate) use text_schema;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// An RFC 3339 time.
impl JsonSchema for crate::Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "format": "date-time", "examples": ["2026-11-23T08:15:16.123456Z"],
        })
    }
}

text_schema!(
    crate::Mac,
    "Mac",
    r"^([0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{12})$",
    "52:54:00:12:34:56"
);

impl JsonSchema for crate::resource::Labels {
    fn schema_name() -> Cow<'static, str> {
        "Labels".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": {"minLength": 1, "maxLength": 63, "pattern": "^[A-Za-z0-9._/-]+$"},
            "additionalProperties": {"type": "string", "maxLength": 63, "pattern": "^[A-Za-z0-9._/-]*$"},
            "examples": [{"role": "worker", "rack": "r1"}],
        })
    }
}

impl JsonSchema for crate::resource::OptionValue {
    fn schema_name() -> Cow<'static, str> {
        "OptionValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, a number, IPv4 addresses, or bytes in hex.",
            "oneOf": [
                {"type": "string"},
                {"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32},
                {"type": "array", "items": {"type": "string", "format": "ipv4"}},
                {
                    "type": "object",
                    "properties": {"hex": {"type": "string", "pattern": "^:*([0-9A-Fa-f]:*[0-9A-Fa-f]:*)*$"}},
                    "required": ["hex"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
