//! `policy`: rules in CEL, the Common Expression Language.
//!
//! Why CEL and not Cedar: a rule here asks about the payload, whatever its form, and about who calls; that is an
//! expression over JSON, which operators of Kubernetes, Envoy and gRPC already write in CEL. Cedar wants entities with
//! types and a hierarchy, which a payload does not have, and `cedar-policy` 4 needs a newer compiler than this
//! workspace promises. A rule always ends, and costs no more than [`PolicyConfig::max_cost`].

mod condition;
mod meter;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::{Context, Env, ExecutionError, ParseErrors};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::denial::Denial;
use crate::error::ConfigError;
use condition::{Found, prepare};
use meter::Meter;

/// The configuration of `policy`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// The rules. The first whose condition holds decides.
    pub rules: Vec<RuleConfig>,
    /// What happens if none holds.
    #[serde(default)]
    pub otherwise: Effect,
    /// What a decision may cost; one that would cost more is a denial. A round of a loop (`all`, `exists`, `map`, …)
    /// costs 10; if it asks about anything but its own variable, also 1 for each value and 64 bytes of text in the
    /// facts. The default is about a quarter of a second.
    #[serde(default = "max_cost")]
    pub max_cost: u64,
}

const fn max_cost() -> u64 {
    10_000_000
}

/// A rule.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// What it is called in denials and logs.
    pub name: String,
    /// A CEL expression that is true or false. It knows `payload`, `user`, `request` and `hook`.
    pub when: String,
    /// What happens if it holds.
    pub effect: Effect,
    /// What a denial says. A sentence with the rule's name if it is missing.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The payload goes on.
    #[default]
    Allow,
    /// The payload goes no further.
    Deny,
}

/// What rules can ask about.
#[derive(Clone, Debug, Serialize)]
pub struct Facts<'a> {
    /// What the hook is about.
    pub payload: &'a Value,
    /// Who calls; `null` if nobody is known.
    pub user: &'a Value,
    /// What else is known of the request: `id`, `tenant`, `server`.
    pub request: &'a Value,
    /// The hook's name.
    pub hook: &'a str,
}

/// The names of [`Facts`].
const ROOTS: [&str; 4] = ["payload", "user", "request", "hook"];

/// The functions of CEL's standard library that rules can call.
const FUNCTIONS: [&str; 12] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "uint",
];

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Decides by rules.
pub struct Policy {
    rules: Vec<Rule>,
    otherwise: Effect,
    max_cost: u64,
    /// The roots that the rules ask about: only they are converted.
    asked: BTreeSet<&'static str>,
    /// Whether a rule has a loop: only then is the cost counted.
    loops: bool,
}

struct Rule {
    config: RuleConfig,
    condition: IdedExpr,
    found: Found,
}

impl Policy {
    /// Compiles the rules.
    ///
    /// # Errors
    /// There is no rule, two have one name, an expression is none, or asks about something that does not exist.
    pub fn new(config: PolicyConfig) -> Result<Self, ConfigError> {
        if config.rules.is_empty() {
            return Err(ConfigError::new("rules", "expected at least one rule"));
        }
        for (index, rule) in config.rules.iter().enumerate() {
            if config.rules[..index].iter().any(|other| other.name == rule.name) {
                let problem = format!("{:?} is the name of another rule, too", rule.name);
                return Err(ConfigError::new(format!("rules[{index}].name"), problem));
            }
        }
        let rules: Vec<Rule> = config.rules.into_iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        let asked = |root: &&str| rules.iter().any(|rule| rule.found.names.contains(*root));
        Ok(Self {
            asked: ROOTS.into_iter().filter(asked).collect(),
            loops: rules.iter().any(|rule| rule.found.loops),
            otherwise: config.otherwise,
            max_cost: config.max_cost,
            rules,
        })
    }

    /// Whether a rule asks about this root: `payload`, `user` or `request`.
    pub(crate) fn asks(&self, root: &str) -> bool {
        self.asked.contains(root)
    }

    /// Decides about a payload.
    ///
    /// # Errors
    /// A rule denies it. A rule that cannot be evaluated denies it too, whatever its effect: a policy that fails must
    /// not let through what it was made to stop. Ask `has(payload.args.path)` before what may be missing.
    pub fn decide(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        let looked_at = if self.loops { self.size(facts) } else { 0 };
        let meter = Meter::new(self.max_cost, looked_at);
        let mut context = self.context(facts);
        meter.attach(&mut context);
        for Rule { config, condition, .. } in &self.rules {
            let answer = context.resolve(condition);
            if meter.exhausted() {
                return Err(failed(&config.name, "it costs more than max_cost"));
            }
            match answer {
                Ok(cel::Value::Bool(false)) => {}
                Ok(cel::Value::Bool(true)) => return decided(config.effect, Some(config)),
                Ok(_) => return Err(failed(&config.name, "the condition is neither true nor false")),
                Err(error) => return Err(failed(&config.name, &problem(&error, &config.when))),
            }
        }
        decided(self.otherwise, None)
    }

    fn context(&self, facts: &Facts<'_>) -> Context<'static, 'static> {
        let mut context = Context::with_env(STANDARD.clone());
        for (name, value) in self.asked(facts) {
            context.add_variable_from_value(name, told(value));
        }
        context.add_variable_from_value("hook", facts.hook.to_owned());
        context
    }

    fn size(&self, facts: &Facts<'_>) -> u64 {
        self.asked(facts).map(|(_, value)| meter::size(value)).sum()
    }

    fn asked<'a>(&self, facts: &'a Facts<'_>) -> impl Iterator<Item = (&'static str, &'a Value)> {
        let roots = [("payload", facts.payload), ("user", facts.user), ("request", facts.request)];
        roots.into_iter().filter(|(name, _)| self.asked.contains(name))
    }
}

/// A value in CEL. Whole numbers are `int`, as those that a rule writes, so that one can calculate with both.
fn told(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(boolean) => (*boolean).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => int.into(),
            (None, Some(uint)) => uint.into(),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(told).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), told(value))).collect::<HashMap<_, _>>().into()
        }
    }
}

fn compile((index, config): (usize, RuleConfig)) -> Result<Rule, ConfigError> {
    let wrong = |problem: String| {
        ConfigError::new(format!("rules[{index}].when"), format!("in the rule {:?}, {problem}", config.name))
    };
    let program = STANDARD.compile(&config.when).map_err(|errors| wrong(syntax(&errors)))?;
    let mut condition = program.expression().clone();
    let found = prepare(&mut condition);
    if let Some(name) = found.names.iter().find(|name| !ROOTS.contains(&name.as_str())) {
        return Err(wrong(format!("{name:?} does not exist; there are {}", ROOTS.join(", "))));
    }
    let is_word = |name: &str| name.starts_with(char::is_alphabetic);
    if let Some(name) =
        found.functions.iter().find(|name| is_word(name) && !FUNCTIONS.contains(&name.as_str()))
    {
        return Err(wrong(format!("{name}() does not exist; there are {}", FUNCTIONS.join(", "))));
    }
    match found.bad_pattern {
        Some(problem) => Err(wrong(problem)),
        None => Ok(Rule { config, condition, found }),
    }
}

/// The first thing that is no CEL.
fn syntax(errors: &ParseErrors) -> String {
    errors.errors.first().map_or_else(
        || "the condition is no CEL".to_owned(),
        |error| format!("line {}, column {}: {}", error.pos.0, error.pos.1, error.msg),
    )
}

/// Why a condition cannot be evaluated, in words of the rule and of CEL: values stay untold, and keys that the rule
/// does not name.
fn problem(error: &ExecutionError, rule: &str) -> String {
    match error {
        ExecutionError::NoSuchKey(key) if rule.contains(key.as_str()) => {
            format!("{key:?} is not there; ask has(…) first")
        }
        ExecutionError::NoSuchKey(_) => "a key is not there; ask `in` first".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "an item is not there; ask size(…) first".to_owned(),
        ExecutionError::NoSuchOverload(types) => types.to_string(),
        ExecutionError::UnexpectedType { got, want } => format!("expected {want}, found {got}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "a division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number that is too large".to_owned(),
        _ => "the condition cannot be evaluated".to_owned(),
    }
}

fn decided(effect: Effect, rule: Option<&RuleConfig>) -> Result<(), Denial> {
    if effect == Effect::Allow {
        return Ok(());
    }
    let Some(rule) = rule else {
        return Err(Denial::new("POLICY_DENIED", "no rule of the policy allows it"));
    };
    let reason =
        rule.reason.clone().unwrap_or_else(|| format!("the rule {:?} of the policy denies it", rule.name));
    Err(Denial::new("POLICY_DENIED", reason).detail("rule", rule.name.as_str()))
}

fn failed(rule: &str, problem: &str) -> Denial {
    Denial::new("POLICY_FAILED", format!("the rule {rule:?} of the policy has failed: {problem}"))
        .detail("rule", rule)
}
