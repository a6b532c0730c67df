//! The kinds of built-in plugins: one table.

use std::sync::Arc;

#[cfg(feature = "schema")]
use schemars::transform::Transform;
use serde_json::Value;

use super::config::{nearest, read};
use crate::audit_log::{AuditLog, AuditLogConfig};
use crate::deny_list::{DenyList, DenyListConfig};
use crate::error::ConfigError;
use crate::header_injector::{HeaderInjector, HeaderInjectorConfig};
use crate::inspect::Detector;
#[cfg(feature = "json_schema")]
use crate::json_schema::{JsonSchema, JsonSchemaConfig};
use crate::limits::{
    CircuitBreaker, CircuitBreakerConfig, CostBudget, CostBudgetConfig, RateLimiter, RateLimiterConfig,
};
use crate::output_length::{OutputLength, OutputLengthConfig};
use crate::pii::{Pii, PiiConfig};
#[cfg(feature = "policy")]
use crate::policy::{Policy, PolicyConfig};
use crate::prompt_injection::{PromptInjection, PromptInjectionConfig};
use crate::regex_rewrite::{RegexRewrite, RegexRewriteConfig};
use crate::secrets::{Secrets, SecretsConfig};
#[cfg(feature = "url_filter")]
use crate::url_filter::{UrlFilter, UrlFilterConfig};

/// What the kinds begin with in a configuration: `builtin.deny_list`.
pub const PREFIX: &str = "builtin.";

/// A kind of plugin.
#[derive(Debug)]
#[non_exhaustive]
pub struct Kind {
    /// Its name, without the [`PREFIX`].
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// The hooks of an entry that names none. None if the entry has to: nobody can guess them.
    pub hooks: &'static [&'static str],
    pub(super) make: Make,
    #[cfg(feature = "schema")]
    schema: Option<fn() -> schemars::Schema>,
}

/// Makes a plugin of its name and configuration.
type New = fn(&str, Value) -> Result<Machine, ConfigError>;

#[derive(Debug)]
pub(super) enum Make {
    Here(New),
    /// It was left out of this build, with this feature.
    #[allow(dead_code, reason = "with all features nothing is left out")]
    Off(&'static str),
}

/// What a plugin is made of.
pub(super) enum Machine {
    Scanner(Box<dyn Detector>),
    #[cfg(feature = "json_schema")]
    JsonSchema(JsonSchema),
    #[cfg(feature = "policy")]
    Policy(Policy),
    HeaderInjector(HeaderInjector),
    AuditLog(Box<AuditLog>),
    RateLimiter(Arc<RateLimiter>),
    CostBudget(Arc<CostBudget>),
    CircuitBreaker(Arc<CircuitBreaker>),
}

impl Kind {
    /// The kind of this name, with or without the [`PREFIX`].
    ///
    /// # Errors
    /// There is none: which there are, and which was probably meant.
    pub fn named(name: &str) -> Result<&'static Self, ConfigError> {
        let bare = name.strip_prefix(PREFIX).unwrap_or(name);
        KINDS.iter().find(|kind| kind.name == bare).ok_or_else(|| {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            let hint = nearest(bare, &known).map(|near| format!("; did you mean \"{PREFIX}{near}\"?"));
            let known = known.join(", ");
            let problem =
                format!("no built-in kind {bare:?}{} Known: {known}", hint.as_deref().unwrap_or(";"));
            ConfigError::new("", problem)
        })
    }

    /// Whether it is in this build.
    #[must_use]
    pub const fn is_here(&self) -> bool {
        matches!(self.make, Make::Here(_))
    }

    /// The JSON Schema of its configuration, if it is in this build.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn schema(&self) -> Option<schemars::Schema> {
        let mut schema = self.schema?();
        schemars::transform::RecursiveTransform(first_paragraph).transform(&mut schema);
        Some(schema)
    }
}

/// What follows a description's first paragraph is for those who read the code.
#[cfg(feature = "schema")]
fn first_paragraph(schema: &mut schemars::Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        description.truncate(description.find("\n\n").unwrap_or(description.len()));
    }
}

const TEXTS: &[&str] = &[
    "tool_pre_invoke",
    "tool_post_invoke",
    "prompt_pre_fetch",
    "prompt_post_fetch",
    "resource_pre_fetch",
    "resource_post_fetch",
    "agent_pre_invoke",
    "agent_post_invoke",
];
const OUTPUTS: &[&str] =
    &["tool_post_invoke", "prompt_post_fetch", "resource_post_fetch", "agent_post_invoke"];
const FOR_MODELS: &[&str] =
    &["tool_post_invoke", "prompt_pre_fetch", "prompt_post_fetch", "resource_post_fetch", "agent_pre_invoke"];
const TOOL: &[&str] = &["tool_pre_invoke"];
const AROUND_TOOL: &[&str] = &["tool_pre_invoke", "tool_post_invoke"];

/// A row of the table.
macro_rules! kind {
    ($name:literal, $hooks:expr, $config:ty => $make:expr, $summary:literal) => {
        Kind {
            name: $name,
            summary: $summary,
            hooks: $hooks,
            make: Make::Here(|name, config| {
                let make: fn(&str, $config) -> Result<Machine, ConfigError> = $make;
                make(name, read(config)?)
            }),
            #[cfg(feature = "schema")]
            schema: Some(|| schemars::schema_for!($config)),
        }
    };
}

/// A row for a plugin that a build can do without.
macro_rules! optional {
    ($feature:literal, $name:literal, $hooks:expr, $config:ty => $make:expr, $summary:literal) => {{
        #[cfg(feature = $feature)]
        {
            kind!($name, $hooks, $config => $make, $summary)
        }
        #[cfg(not(feature = $feature))]
        {
            Kind {
                name: $name,
                summary: $summary,
                hooks: $hooks,
                make: Make::Off($feature),
                #[cfg(feature = "schema")]
                schema: None,
            }
        }
    }};
}

fn scanner<D: Detector + 'static>(made: Result<D, ConfigError>) -> Result<Machine, ConfigError> {
    made.map(|detector| Machine::Scanner(Box::new(detector)))
}

/// All kinds.
pub static KINDS: [Kind; 14] = [
    kind!("deny_list", TEXTS, DenyListConfig => |_, config| scanner(DenyList::new(config)),
        "Words and phrases that may not pass."),
    kind!("regex_rewrite", &[], RegexRewriteConfig => |_, config| scanner(RegexRewrite::new(config)),
        "Search and replace by regular expressions."),
    kind!("pii_redactor", TEXTS, PiiConfig => |_, config| scanner(Pii::new(config)),
        "Finds e-mail addresses, phone and card numbers, IBANs and the like, and redacts them."),
    kind!("secrets_detector", TEXTS, SecretsConfig => |_, config| scanner(Secrets::new(config)),
        "Finds keys, tokens and passwords."),
    kind!("prompt_injection", FOR_MODELS, PromptInjectionConfig => |_, config| scanner(PromptInjection::new(config)),
        "Finds known attempts to take over a model."),
    optional!("json_schema", "json_schema", AROUND_TOOL,
        JsonSchemaConfig => |_, config| JsonSchema::new(config).map(Machine::JsonSchema),
        "Arguments and results must fit a schema."),
    kind!("output_length", OUTPUTS, OutputLengthConfig => |_, config| scanner(OutputLength::new(config)),
        "No more text than fits."),
    kind!("rate_limiter", TOOL,
        RateLimiterConfig => |name, config| RateLimiter::new(name, config).map(Arc::new).map(Machine::RateLimiter),
        "How many calls pass in a time."),
    kind!("cost_budget", AROUND_TOOL,
        CostBudgetConfig => |name, config| CostBudget::new(name, config).map(Arc::new).map(Machine::CostBudget),
        "How much may be spent in a time."),
    kind!("circuit_breaker", AROUND_TOOL,
        CircuitBreakerConfig => |_, config| CircuitBreaker::new(config).map(Arc::new).map(Machine::CircuitBreaker),
        "Leaves a target alone that keeps failing."),
    optional!("url_filter", "url_filter", TEXTS, UrlFilterConfig => |_, config| scanner(UrlFilter::new(config)),
        "Which URLs may stand in a payload."),
    kind!("audit_log", TEXTS, AuditLogConfig => |_, config| AuditLog::new(config).map(Box::new).map(Machine::AuditLog),
        "Writes what happened, a JSON object a line."),
    optional!("policy", "policy", &[], PolicyConfig => |_, config| Policy::new(config).map(Machine::Policy),
        "Decides by rules in CEL."),
    kind!("header_injector", &["http_pre_request"],
        HeaderInjectorConfig => |_, config| HeaderInjector::new(config).map(Machine::HeaderInjector),
        "Headers that every request gets."),
];
