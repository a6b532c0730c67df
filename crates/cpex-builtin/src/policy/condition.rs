//! What a condition asks about, found once at start; and its loops, made ready to be charged.

use std::collections::BTreeSet;
use std::mem::take;

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue};
use regex::Regex;

use super::meter::charged;

/// What a condition has in it.
#[derive(Default)]
pub(super) struct Found {
    /// Names that no loop has made.
    pub(super) names: BTreeSet<String>,
    pub(super) functions: BTreeSet<String>,
    pub(super) loops: bool,
    pub(super) bad_pattern: Option<String>,
}

/// Looks through a condition, and charges its loops.
pub(super) fn prepare(condition: &mut IdedExpr) -> Found {
    let mut found = Found::default();
    match &mut condition.expr {
        Expr::Ident(name) => {
            found.names.insert(name.clone());
        }
        Expr::Comprehension(comprehension) => found.add(prepare_loop(comprehension)),
        Expr::Call(call) => {
            found.functions.insert(call.func_name.clone());
            if call.func_name == "matches" {
                found.bad_pattern = bad_pattern(call.args.last());
            }
            found.add_all(call.target.as_deref_mut().into_iter().chain(&mut call.args));
        }
        Expr::List(list) => found.add_all(&mut list.elements),
        Expr::Select(select) => found.add(prepare(&mut select.operand)),
        Expr::Map(map) => found.add_all(map.entries.iter_mut().flat_map(parts)),
        Expr::Struct(made) => found.add_all(made.entries.iter_mut().flat_map(parts)),
        Expr::Unspecified | Expr::Literal(_) => {}
    }
    found
}

fn prepare_loop(comprehension: &mut ComprehensionExpr) -> Found {
    let ComprehensionExpr {
        iter_range,
        iter_var,
        iter_var2,
        accu_var,
        accu_init,
        loop_cond,
        loop_step,
        result,
    } = comprehension;
    let mut round = Found::default();
    round.add_all([loop_cond, loop_step]);
    for own in [Some(&*iter_var), iter_var2.as_ref(), Some(&*accu_var)].into_iter().flatten() {
        round.names.remove(own);
    }
    let mut end = prepare(result);
    end.names.remove(&*accu_var);

    let mut found = Found { loops: true, ..Found::default() };
    found.add_all([&mut *iter_range, accu_init]);
    *iter_range = charged(take(iter_range), !round.names.is_empty());
    found.add(round);
    found.add(end);
    found
}

fn parts(entry: &mut IdedEntryExpr) -> Vec<&mut IdedExpr> {
    match &mut entry.expr {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}

/// A pattern from the payload could be as large as it likes; one that is written in the rule is checked at start.
fn bad_pattern(argument: Option<&IdedExpr>) -> Option<String> {
    match argument.map(|argument| &argument.expr) {
        Some(Expr::Literal(LiteralValue::String(pattern))) => {
            Regex::new(pattern.inner()).err().map(|error| format!("matches() has no valid pattern: {error}"))
        }
        _ => Some("the pattern of matches() must be written in the rule".to_owned()),
    }
}

impl Found {
    fn add(&mut self, other: Self) {
        self.names.extend(other.names);
        self.functions.extend(other.functions);
        self.loops |= other.loops;
        self.bad_pattern = self.bad_pattern.take().or(other.bad_pattern);
    }

    fn add_all<'a>(&mut self, conditions: impl IntoIterator<Item = &'a mut IdedExpr>) {
        conditions.into_iter().for_each(|condition| self.add(prepare(condition)));
    }
}
