//! What fits a schema, and what a denial tells of what does not.

#![cfg(feature = "json_schema")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_builtin::json_schema::{JsonSchema, JsonSchemaConfig, Side};
use serde_json::{Value, json};

fn read(config: Value) -> Result<JsonSchema, cpex_builtin::ConfigError> {
    JsonSchema::new(serde_json::from_value::<JsonSchemaConfig>(config).unwrap())
}

#[test]
fn a_value_that_does_not_fit_is_placed_and_not_told() {
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]});
    let schemas = read(json!({"arguments": {"add": schema}, "require_schema": true})).unwrap();
    assert!(schemas.check(Side::Arguments, "add", &json!({"age": 3})).is_ok());
    let denial = schemas.check(Side::Arguments, "add", &json!({"age": "hidden"})).unwrap_err();
    assert_eq!((denial.code, &denial.details["problems"][0]["place"]), ("SCHEMA_MISMATCH", &json!("/age")));
    assert!(!format!("{denial:?}").contains("hidden"));
    assert_eq!(schemas.check(Side::Results, "add", &json!(1)).unwrap_err().code, "SCHEMA_MISSING");
    let error = read(json!({"results": {"add": {"type": "integr"}}})).map(|_| ()).unwrap_err();
    assert!(error.field.starts_with("results.add"), "{error}");
    assert!(read(json!({"results": {"add": {"$ref": "https://example.com/schema"}}})).is_err());
}

/// Keys are values, too, unless the schema names them.
#[test]
fn a_denial_tells_no_key_that_the_schema_does_not_name() {
    let number = json!({"type": "integer"});
    let schema = json!({
        "type": "object",
        "properties": {"ages": {"type": "object", "additionalProperties": number}},
        "patternProperties": {"^x-": number},
        "propertyNames": {"pattern": "^[a-z-]+$"},
        "additionalProperties": false,
    });
    let schemas = read(json!({"arguments": {"*": schema}})).unwrap();
    for (value, place) in [
        (json!({"ages": {"hunter2": "hunter2"}}), "/ages/*"),
        (json!({"x-hunter2": "hunter2"}), "/*"),
        (json!({"hunter2": 1}), ""),
        (json!({"HUNTER2 hunter2": 1}), ""),
    ] {
        let denial = schemas.check(Side::Arguments, "any", &value).unwrap_err();
        assert_eq!(denial.details["problems"][0]["place"], place, "{denial:?}");
        assert!(!format!("{denial:?}").to_lowercase().contains("hunter2"), "{denial:?}");
    }
}

#[test]
fn references_stay_inside_and_nesting_ends() {
    for schema in [
        json!({"$ref": "file:///etc/passwd"}),
        json!({"$ref": "https://example.com/schema"}),
        json!({"$id": "https://example.com/a", "$ref": "b"}),
        json!({"$ref": "#/missing"}),
        json!({"pattern": "(?=look)"}),
        json!({"pattern": "((a{100}){100}){100}"}),
    ] {
        assert!(read(json!({"arguments": {"a": schema}})).is_err(), "{schema}");
    }
    let list = json!({"type": ["array", "null"], "items": {"$ref": "#"}});
    let schemas = read(json!({"arguments": {"a": list}})).unwrap();
    let nested = |depth: usize| (0..depth).fold(Value::Null, |below, _| Value::Array(vec![below]));
    assert!(schemas.check(Side::Arguments, "a", &nested(100)).is_ok());
    let denial = schemas.check(Side::Arguments, "a", &nested(2000)).unwrap_err();
    assert_eq!(denial.reason, "the payload is nested deeper than 128 levels");
}

#[test]
fn a_pattern_takes_linear_time() {
    let schemas = read(json!({"arguments": {"a": {"pattern": "^(a+)+$"}}})).unwrap();
    let value = Value::from("a".repeat(1 << 20) + "!");
    assert!(schemas.check(Side::Arguments, "a", &value).is_err());
}

#[test]
fn a_configuration_that_checks_nothing_is_an_error() {
    assert_eq!(read(json!({})).map(|_| ()).unwrap_err().field, "arguments");
}
