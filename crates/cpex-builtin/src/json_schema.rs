//! `json_schema`: payloads must fit a schema.
//!
//! Drafts 4 to 2020-12. References stay within the schema: nothing is fetched, no file is read.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use jsonschema::{PatternOptions, ValidationError, ValidationOptions, Validator};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::denial::Denial;
use crate::error::ConfigError;
use crate::text::{Editor, Place, TextTree};

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
    arguments: BTreeMap<String, Schema>,
    results: BTreeMap<String, Schema>,
    require_schema: bool,
}

struct Schema {
    validator: Validator,
    /// What the schema calls its fields: the only names that a denial may tell, since others are the payload's.
    names: BTreeSet<String>,
}

impl JsonSchema {
    /// Compiles the schemas.
    ///
    /// # Errors
    /// A schema is none, refers to something outside of it, or refers to itself without an end; or there is none.
    pub fn new(config: JsonSchemaConfig) -> Result<Self, ConfigError> {
        if config.arguments.is_empty() && config.results.is_empty() && !config.require_schema {
            let problem = "expected a schema here or in results: nothing would be checked";
            return Err(ConfigError::new("arguments", problem));
        }
        let compile = |schemas: BTreeMap<String, Value>, field: &str| {
            let compiled = schemas.into_iter().map(|(name, schema)| {
                let schema = Schema::compile(&schema, &format!("{field}.{name}"), config.check_formats)?;
                Ok((name, schema))
            });
            compiled.collect::<Result<_, _>>()
        };
        Ok(Self {
            arguments: compile(config.arguments, "arguments")?,
            results: compile(config.results, "results")?,
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

    fn schema(&self, side: Side, name: &str) -> Option<&Schema> {
        let schemas = match side {
            Side::Arguments => &self.arguments,
            Side::Results => &self.results,
        };
        schemas.get(name).or_else(|| schemas.get("*"))
    }

    /// Checks a value of the tool or prompt `name`.
    ///
    /// # Errors
    /// It does not fit. The details name the place and the rule of each problem, and nothing of the value.
    pub fn check(&self, side: Side, name: &str, value: &Value) -> Result<(), Denial> {
        let Some(schema) = self.schema(side, name) else {
            let missing = Denial::new("SCHEMA_MISSING", format!("{name:?} has no schema, and must have one"));
            return if self.require_schema { Err(missing) } else { Ok(()) };
        };
        // A schema that refers to itself descends as deep as the value.
        if let Err(too_deep) = value.edit(&mut Depth, &Place::ROOT) {
            return Err(Denial::new("SCHEMA_MISMATCH", too_deep.to_string()));
        }
        if schema.validator.is_valid(value) {
            return Ok(());
        }
        let problems: Vec<Value> =
            schema.validator.iter_errors(value).take(TOLD).map(|error| schema.problem(&error)).collect();
        let what = match side {
            Side::Arguments => "arguments do",
            Side::Results => "result does",
        };
        let denial = Denial::new("SCHEMA_MISMATCH", format!("the {what} not fit the schema of {name:?}"));
        Err(denial.detail("problems", problems))
    }
}

impl Schema {
    fn compile(schema: &Value, field: &str, check_formats: bool) -> Result<Self, ConfigError> {
        let validator = options(check_formats).build(schema).map_err(|error| {
            ConfigError::new(format!("{field}{}", error.instance_path()), error.masked().to_string())
        })?;
        let mut names = BTreeSet::new();
        collect_names(schema, &mut names);
        Ok(Self { validator, names })
    }

    fn problem(&self, error: &ValidationError<'_>) -> Value {
        use ValidationErrorKind as Kind;
        let message = match error.kind() {
            // What these say of the payload's keys and items is the payload itself.
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected }
            | Kind::UnevaluatedItems { unexpected } => {
                format!("{} more than the schema names", unexpected.len())
            }
            Kind::PropertyNames { .. } => "a key does not fit the schema of keys".to_owned(),
            _ => error.masked().to_string(),
        };
        json!({"place": self.place(error), "rule": error.schema_path().to_string(), "message": message})
    }

    /// A JSON pointer, with `*` for a key that is not the schema's.
    fn place(&self, error: &ValidationError<'_>) -> String {
        let segment = |segment: LocationSegment<'_>| match segment {
            LocationSegment::Property(name) if !self.names.contains(&*name) => "/*".to_owned(),
            LocationSegment::Property(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            LocationSegment::Index(index) => format!("/{index}"),
        };
        error.instance_path().iter().map(segment).collect()
    }
}

/// Only walks.
struct Depth;

impl Editor for Depth {
    fn text(&mut self, _text: &str, _place: &Place<'_>) -> Option<String> {
        None
    }
}

fn collect_names(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, below) in fields {
                names.insert(name.clone());
                collect_names(below, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, names)),
        _ => {}
    }
}

/// No fetching, and patterns in linear time.
fn options(check_formats: bool) -> ValidationOptions<'static> {
    jsonschema::options().should_validate_formats(check_formats).with_pattern_options(PatternOptions::regex())
}
