//! `json_schema`: payloads must fit a schema.
//!
//! Drafts 4 to 2020-12. References stay within the schema: nothing is fetched, no file is read.

use std::collections::BTreeMap;

use jsonschema::{PatternOptions, ValidationOptions, Validator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::denial::Denial;
use crate::error::ConfigError;

/// The configuration of `json_schema`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct JsonSchemaConfig {
    /// The schema of the arguments of each tool or prompt, by its name; `*` for those that have none of their own.
    pub arguments: BTreeMap<String, Value>,
    /// The schema of the results of each tool, by its name; `*` for those that have none of their own.
    pub results: BTreeMap<String, Value>,
    /// Whether a tool without a schema may be used.
    pub require_schema: bool,
    /// Whether `format` is checked, not only noted.
    pub check_formats: bool,
}

/// Which side of a call a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What a tool or prompt is called with.
    Arguments,
    /// What a tool answered.
    Results,
}

/// So many problems are told; the rest is only counted.
const TOLD: usize = 10;

/// Checks values against schemas.
pub struct JsonSchema {
    arguments: BTreeMap<String, Validator>,
    results: BTreeMap<String, Validator>,
    require_schema: bool,
}

impl JsonSchema {
    /// Compiles the schemas.
    ///
    /// # Errors
    /// A schema is none, or refers to something outside of it.
    pub fn new(config: JsonSchemaConfig) -> Result<Self, ConfigError> {
        let compile = |schemas: &BTreeMap<String, Value>, field: &str| {
            let compiled = schemas.iter().map(|(name, schema)| {
                let validator = options(config.check_formats).build(schema).map_err(|error| {
                    ConfigError::new(format!("{field}.{name}{}", error.instance_path()), error.to_string())
                })?;
                Ok((name.clone(), validator))
            });
            compiled.collect::<Result<_, _>>()
        };
        Ok(Self {
            arguments: compile(&config.arguments, "arguments")?,
            results: compile(&config.results, "results")?,
            require_schema: config.require_schema,
        })
    }

    /// Whether there are schemas of arguments, or every tool must have one.
    pub(crate) fn has_arguments(&self) -> bool {
        !self.arguments.is_empty()
    }

    /// Whether there are schemas of results.
    pub(crate) fn has_results(&self) -> bool {
        !self.results.is_empty()
    }

    /// Whether there is anything to check about a value of the tool or prompt `name`.
    pub(crate) fn concerns(&self, side: Side, name: &str) -> bool {
        self.require_schema || self.schema(side, name).is_some()
    }

    fn schema(&self, side: Side, name: &str) -> Option<&Validator> {
        let schemas = match side {
            Side::Arguments => &self.arguments,
            Side::Results => &self.results,
        };
        schemas.get(name).or_else(|| schemas.get("*"))
    }

    /// Checks a value of the tool or prompt `name`.
    ///
    /// # Errors
    /// It does not fit. The details name the place and the rule of each problem, and never a value.
    pub fn check(&self, side: Side, name: &str, value: &Value) -> Result<(), Denial> {
        let Some(validator) = self.schema(side, name) else {
            let missing = Denial::new("SCHEMA_MISSING", format!("{name:?} has no schema, and must have one"));
            return if self.require_schema { Err(missing) } else { Ok(()) };
        };
        if validator.is_valid(value) {
            return Ok(());
        }
        let problems: Vec<Value> =
            validator.iter_errors(value).take(TOLD).map(|error| problem(&error)).collect();
        let what = match side {
            Side::Arguments => "arguments",
            Side::Results => "result",
        };
        let denial = Denial::new("SCHEMA_MISMATCH", format!("the {what} of {name:?} do not fit the schema"));
        Err(denial.detail("problems", problems))
    }
}

/// No fetching, and patterns in linear time.
fn options(check_formats: bool) -> ValidationOptions<'static> {
    jsonschema::options().should_validate_formats(check_formats).with_pattern_options(PatternOptions::regex())
}

/// Where a value does not fit and what the rule there is; the masked message has no value in it.
fn problem(error: &jsonschema::ValidationError<'_>) -> Value {
    let mut told = Map::new();
    told.insert("place".to_owned(), json!(error.instance_path().to_string()));
    told.insert("rule".to_owned(), json!(error.schema_path().to_string()));
    told.insert("message".to_owned(), json!(error.masked().to_string()));
    Value::Object(told)
}
