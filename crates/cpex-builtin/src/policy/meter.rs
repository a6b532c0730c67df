//! What a rule may cost.
//!
//! CEL has no recursion and no loop but over a list or a map, so a rule always ends; yet loops in loops over a payload
//! that an attacker has written take as long as they like. Every loop is therefore charged where it begins: its
//! rounds, each at the price of all facts if its body looks at more than the loop's own variable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::{Context, ExecutionError, FunctionContext};
use serde_json::Value;

/// No rule can call it: it is no name in CEL.
const CHARGE: &str = "@charge";
/// What a round costs besides what it looks at.
const ROUND: u64 = 10;
/// So many bytes of text cost as much as a value.
const TEXT: usize = 64;

type Charge = Box<
    dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError> + Send + Sync,
>;

/// What is left of a decision's budget.
#[derive(Clone)]
pub(super) struct Meter {
    left: Arc<AtomicU64>,
    /// What it costs to look at all facts.
    facts: u64,
}

impl Meter {
    pub(super) fn new(budget: u64, facts: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(budget)), facts }
    }

    /// Whether the budget was too small. It stays so: no loop begins after that.
    pub(super) fn exhausted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Lets the loops of metered rules be charged.
    pub(super) fn attach(&self, context: &mut Context<'_, '_>) {
        let meter = self.clone();
        let charge: Charge = Box::new(move |call| {
            let [range, looks_around] = &call.args[..] else { return Err(refused()) };
            let rounds =
                range.as_sizer().map_or(1, |sizer| u64::try_from(*sizer.size().inner()).unwrap_or(u64::MAX));
            let looks_around = looks_around.downcast_ref::<CelBool>().is_none_or(|yes| *yes.inner());
            let price = if looks_around { ROUND.saturating_add(meter.facts) } else { ROUND };
            meter.charge(rounds.saturating_mul(price))?;
            Ok(range.clone())
        });
        // The name is free: no environment declares it.
        let _ = context.add_function(CHARGE, charge);
    }

    fn charge(&self, cost: u64) -> Result<(), ExecutionError> {
        let left = self.left.load(Ordering::Relaxed).saturating_sub(cost);
        self.left.store(left, Ordering::Relaxed);
        if left == 0 { Err(refused()) } else { Ok(()) }
    }
}

fn refused() -> ExecutionError {
    ExecutionError::function_error(CHARGE, "the rule costs too much")
}

/// What it costs to look at a value.
pub(super) fn size(value: &Value) -> u64 {
    let text = |text: &str| (text.len() / TEXT) as u64;
    1 + match value {
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| text(key) + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// A loop's range, charged.
pub(super) fn charged(range: IdedExpr, looks_around: bool) -> IdedExpr {
    let literal = LiteralValue::Boolean(looks_around.into());
    let args = vec![range, IdedExpr { id: 0, expr: Expr::Literal(literal) }];
    let call = CallExpr { func_name: CHARGE.to_owned(), target: None, args };
    IdedExpr { id: 0, expr: Expr::Call(call) }
}
