//! `policy`: rules in CEL, the Common Expression Language.
//!
//! Why CEL and not Cedar: a rule here asks about the payload, whatever its form, and about who calls; that is an
//! expression over JSON, which operators of Kubernetes, Envoy and gRPC already write in CEL. Cedar wants entities with
//! types and a hierarchy, which a payload does not have, and `cedar-policy` 4 needs a newer compiler than this
//! workspace promises. CEL has no loops, so a rule ends.

use std::collections::BTreeMap;

use cel::{Context, Program};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::denial::Denial;
use crate::error::ConfigError;

/// The configuration of `policy`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// The rules. The first whose condition holds decides.
    pub rules: Vec<RuleConfig>,
    /// What happens if none holds.
    pub otherwise: Effect,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

/// Decides by rules.
pub struct Policy {
    rules: Vec<Rule>,
    otherwise: Effect,
    /// The roots that the rules ask about: only they are converted.
    asked: Asked,
}

struct Rule {
    config: RuleConfig,
    program: Program,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) payload: bool,
    pub(crate) user: bool,
    pub(crate) request: bool,
}

impl Policy {
    /// Compiles the rules.
    ///
    /// # Errors
    /// An expression is none, or asks about something that does not exist.
    pub fn new(config: PolicyConfig) -> Result<Self, ConfigError> {
        let rules: Vec<Rule> = config.rules.into_iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        let asks = |root: &str| rules.iter().any(|rule| rule.program.references().has_variable(root));
        let asked = Asked { payload: asks("payload"), user: asks("user"), request: asks("request") };
        Ok(Self { rules, otherwise: config.otherwise, asked })
    }

    /// The roots that the rules ask about.
    pub(crate) const fn asked(&self) -> Asked {
        self.asked
    }

    /// Decides about a payload.
    ///
    /// # Errors
    /// A rule denies it. A rule that cannot be evaluated denies it too, whatever its effect: a policy that fails must
    /// not let through what it was made to stop. Ask `has(payload.args.path)` before what may be missing.
    pub fn decide(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        let context = self.context(facts).map_err(|_| failed("", "the facts cannot be told in CEL"))?;
        for Rule { config, program } in &self.rules {
            match program.execute(&context) {
                Ok(cel::Value::Bool(false)) => {}
                Ok(cel::Value::Bool(true)) => return decided(config.effect, Some(config)),
                Ok(_) => return Err(failed(&config.name, "the condition is neither true nor false")),
                Err(_) => return Err(failed(&config.name, "the condition cannot be evaluated")),
            }
        }
        decided(self.otherwise, None)
    }

    fn context(
        &self,
        facts: &Facts<'_>,
    ) -> Result<Context<'static, 'static>, Box<dyn std::error::Error + Send + Sync>> {
        let mut context = Context::default();
        let roots = [
            ("payload", facts.payload, self.asked.payload),
            ("user", facts.user, self.asked.user),
            ("request", facts.request, self.asked.request),
        ];
        for (name, value, asked) in roots {
            if asked {
                context.add_variable(name, value).map_err(|error| error.to_string())?;
            }
        }
        context.add_variable_from_value("hook", facts.hook.to_owned());
        Ok(context)
    }
}

fn compile((index, config): (usize, RuleConfig)) -> Result<Rule, ConfigError> {
    let problem = |problem: String| ConfigError::new(format!("rules[{index}].when"), problem);
    let program = Program::compile(&config.when).map_err(|error| problem(error.to_string()))?;
    let known = ["payload", "user", "request", "hook"];
    let unknown =
        program.references().variables().into_iter().find(|name| !known.contains(name)).map(str::to_owned);
    match unknown {
        Some(name) => Err(problem(format!("{name:?} does not exist; there are {}", known.join(", ")))),
        None => Ok(Rule { config, program }),
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

/// What the rules of a policy are, for a log.
impl Policy {
    /// The names of the rules and what they do.
    #[must_use]
    pub fn rules(&self) -> BTreeMap<&str, Effect> {
        self.rules.iter().map(|rule| (rule.config.name.as_str(), rule.config.effect)).collect()
    }
}
