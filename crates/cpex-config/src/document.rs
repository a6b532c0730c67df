//! The value tree: plain values, each with the position it was written at.

use std::fmt;
use std::sync::Arc;

use crate::number::BigInt;
use crate::position::Position;
use crate::problem::Problem;
use crate::timestamp::{Date, DateTime};

/// A loaded text: its value, and what looked suspicious on the way.
#[derive(Clone)]
pub struct Document {
    pub(crate) file: String,
    pub(crate) root: Option<Arc<Node>>,
    pub(crate) problems: Vec<Problem>,
}

/// A value and where it stands. Aliases share one node.
pub struct Node {
    value: Value,
    position: Position,
    /// Nodes in this subtree with every alias unfolded, for the alias limit.
    pub(crate) unfolded: usize,
    pub(crate) depth: usize,
    /// The text came out of a template expression: it may be a secret and is never printed.
    pub(crate) opaque: bool,
}

/// What PyYAML's `safe_load` makes of a node.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// An integer that fits into 128 bits.
    Int(i128),
    /// An integer that does not.
    BigInt(BigInt),
    /// A float, infinities and NaN included.
    Float(f64),
    /// Text.
    Str(String),
    /// `!!binary`.
    Bytes(Vec<u8>),
    /// A timestamp without a time.
    Date(Date),
    /// A timestamp with a time.
    DateTime(DateTime),
    /// A sequence.
    Seq(Vec<Arc<Node>>),
    /// A mapping in reading order, merged pairs first. A later pair with the same key wins.
    Map(Vec<(Arc<Node>, Arc<Node>)>),
    /// `!!set`.
    Set(Vec<Arc<Node>>),
    /// `!!omap` and `!!pairs`.
    Pairs(Vec<(Arc<Node>, Arc<Node>)>),
}

/// One step of a path into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The value of a key.
    Key(&'a str),
    /// The item of a sequence, from 0.
    Index(usize),
}

impl Document {
    /// The name the text was loaded under.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The value of the text, or `None` if there is nothing but comments in it.
    #[must_use]
    pub fn root(&self) -> Option<&Arc<Node>> {
        self.root.as_ref()
    }

    /// What looked suspicious, in reading order.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The position of the deepest node that the path reaches: a path to something that is missing finds the
    /// mapping it is missing from. `None` only for an empty document.
    #[must_use]
    pub fn locate(&self, path: &[Step<'_>]) -> Option<Position> {
        let mut node = self.root.as_ref()?;
        for step in path {
            let Some(next) = node.step(step) else { break };
            node = next;
        }
        Some(node.position)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("file", &self.file)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl Node {
    pub(crate) fn new(value: Value, position: Position) -> Self {
        let children = || value.children();
        Self {
            unfolded: children().map(|node| node.unfolded).fold(1, usize::saturating_add),
            depth: children().map(|node| node.depth).max().unwrap_or(0) + 1,
            value,
            position,
            opaque: false,
        }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Where it begins.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The value of a key, the last one if it stands there twice. `None` if this is no mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Arc<Node>> {
        let Value::Map(pairs) = &self.value else { return None };
        let is_key = |node: &Node| matches!(&node.value, Value::Str(text) if text == key);
        pairs.iter().rev().find(|(node, _)| is_key(node)).map(|(_, value)| value)
    }

    fn step(&self, step: &Step<'_>) -> Option<&Arc<Node>> {
        match (step, &self.value) {
            (Step::Key(key), _) => self.get(key),
            (Step::Index(index), Value::Seq(items)) => items.get(*index),
            (Step::Index(_), _) => None,
        }
    }

    /// The node as a key in a message: text as written, anything else by its kind.
    pub(crate) fn label(&self) -> String {
        match &self.value {
            _ if self.opaque => "{{ … }}".to_owned(),
            Value::Str(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            other => other.kind().to_owned(),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.value, self.position)
    }
}

impl PartialEq for Node {
    /// Equal values, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Value {
    /// What kind of value this is, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::BigInt(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a string",
            Self::Bytes(_) => "binary data",
            Self::Date(_) => "a date",
            Self::DateTime(_) => "a timestamp",
            Self::Seq(_) => "a sequence",
            Self::Map(_) => "a mapping",
            Self::Set(_) => "a set",
            Self::Pairs(_) => "a list of pairs",
        }
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Arc<Node>> + '_> {
        match self {
            Self::Seq(items) | Self::Set(items) => Box::new(items.iter()),
            Self::Map(pairs) | Self::Pairs(pairs) => {
                Box::new(pairs.iter().flat_map(|(key, value)| [key, value]))
            }
            _ => Box::new(std::iter::empty()),
        }
    }
}

impl fmt::Debug for Value {
    /// Only the kind: configurations hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}
