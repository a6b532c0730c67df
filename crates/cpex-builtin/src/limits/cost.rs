//! What a call costs.

use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::Value;

use super::amount::Amount;
use crate::ConfigError;

/// What a call costs: a fixed amount, and so much for each of what its payload counts.
///
/// ```yaml
/// fixed: 0.01
/// terms:
///   - {field: /usage/prompt_tokens, price: 2.5, per: 1000000}
///   - {field: /usage/completion_tokens, price: 10, per: 1000000}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CostConfig {
    /// For each call.
    pub fixed: Amount,
    /// For what the payload counts.
    pub terms: Vec<Term>,
}

/// So much for each of what a field counts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Where the number stands in the payload: a JSON pointer, such as `/usage/total_tokens`.
    pub field: String,
    /// What `per` of them cost.
    pub price: Amount,
    /// How many cost the price.
    #[serde(default = "one")]
    pub per: NonZeroU32,
    /// The number when the field is not there. Without it, a call that lacks the field cannot be priced.
    pub missing: Option<f64>,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// A call that cannot be priced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct CostError {
    /// The pointer to the field.
    pub field: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl CostConfig {
    /// The amount for a payload, rounded up to the millionth for each term.
    ///
    /// # Errors
    /// A field is missing, is not a number, or makes the amount negative or too great.
    pub fn amount(&self, payload: &Value) -> Result<Amount, CostError> {
        self.terms
            .iter()
            .map(|term| term.amount(payload))
            .try_fold(self.fixed, |sum, term| Ok(sum.plus(term?)))
    }

    /// Whether every field is a JSON pointer, and stands for a number that can be priced.
    pub(super) fn validate(&self, field: &str) -> Result<(), ConfigError> {
        for (index, term) in self.terms.iter().enumerate() {
            let wrong = |name: &str, problem: &str| {
                Err(ConfigError::new(format!("{field}.terms[{index}].{name}"), problem))
            };
            if !term.field.starts_with('/') {
                return wrong("field", "expected a JSON pointer, such as /usage/total_tokens");
            }
            let missing = term.missing.unwrap_or_default();
            if Amount::priced(missing, term.price, term.per.get()).is_err() {
                return wrong(
                    "missing",
                    "expected a number that is not negative, and no larger than can be priced",
                );
            }
        }
        Ok(())
    }

    /// Whether no call costs anything.
    pub(super) fn is_free(&self) -> bool {
        self.fixed == Amount::ZERO && self.terms.iter().all(|term| term.price == Amount::ZERO)
    }
}

impl Term {
    fn amount(&self, payload: &Value) -> Result<Amount, CostError> {
        let wrong = |problem| CostError { field: self.field.clone(), problem };
        let quantity = match (payload.pointer(&self.field), self.missing) {
            (None | Some(Value::Null), Some(missing)) => missing,
            (None | Some(Value::Null), None) => {
                return Err(wrong("is not there, and no number stands in for it"));
            }
            (Some(value), _) => value.as_f64().ok_or_else(|| wrong("expected a number"))?,
        };
        Amount::priced(quantity, self.price, self.per.get()).map_err(|_| {
            wrong("expected a number that is not negative and costs no more than an amount holds")
        })
    }
}
