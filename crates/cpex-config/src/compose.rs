//! From YAML events to the value tree, without recursion.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, ScalarStyle, Span, Tag};

use crate::construct::{self, CollectionTag, Misfit, Pair};
use crate::document::{Document, Node, Value};
use crate::error::ConfigError;
use crate::layout::Layout;
use crate::position::{Location, Position};
use crate::problem::Problem;
use crate::scalar::ScalarTag;
use crate::template::Rendered;

/// Levels of nesting, aliases unfolded.
const MAX_DEPTH: usize = 128;

/// Nodes that aliases and merge keys may add to those that are written out.
const MAX_UNFOLDED: usize = 200_000;

/// Builds the tree, event by event.
pub(crate) struct Composer<'a> {
    rendered: &'a Rendered,
    file: &'a str,
    layout: &'a Layout,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Arc<Node>>,
    unfolded: usize,
    documents: usize,
    root: Option<Arc<Node>>,
    problems: Vec<Problem>,
}

/// A collection that is not complete yet.
struct Frame {
    tag: CollectionTag,
    anchor: usize,
    at: Position,
    content: Content,
}

enum Content {
    Items(Vec<Arc<Node>>),
    Pairs { pairs: Vec<Pair>, key: Option<Option<Arc<Node>>> },
}

impl<'a> Composer<'a> {
    pub(crate) fn new(rendered: &'a Rendered, file: &'a str, layout: &'a Layout) -> Self {
        Self {
            rendered,
            file,
            layout,
            frames: Vec::new(),
            anchors: HashMap::new(),
            unfolded: 0,
            documents: 0,
            root: None,
            problems: Vec::new(),
        }
    }

    /// Where the innermost collection that is not complete begins.
    pub(crate) fn innermost(&self) -> Option<Position> {
        self.frames.last().map(|frame| frame.at)
    }

    /// The document, once all events are in.
    pub(crate) fn finish(mut self) -> Document {
        self.problems.sort_by_key(|problem| problem.position);
        Document { file: self.file.to_owned(), root: self.root, problems: self.problems }
    }

    /// Takes the next event.
    pub(crate) fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), ConfigError> {
        let at = self.position(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(ConfigError::ManyDocuments { location: self.location(at) });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), at)?;
            }
            Event::SequenceStart(anchor, tag) => {
                let content = Content::Items(Vec::new());
                self.open(content, CollectionTag::Seq, tag, anchor, at)?;
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Pairs { pairs: Vec::new(), key: None };
                self.open(content, CollectionTag::Map, tag, anchor, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Position,
    ) -> Result<(), ConfigError> {
        let holes = &self.rendered.holes;
        let tag = match tag.map(name) {
            None if style == ScalarStyle::Plain => None,
            None => Some(ScalarTag::Str),
            // The non-specific tag: as if the scalar were plain.
            Some(TagName::NonSpecific) => None,
            Some(TagName::Core(suffix)) => {
                match (ScalarTag::from_suffix(suffix), CollectionTag::from_suffix(suffix)) {
                    (Some(tag), _) => Some(tag),
                    (None, Some(tag)) => return Err(self.shape(at, "a scalar", tag.expected())),
                    (None, None) => return Err(self.unknown_tag(at, &TagName::Core(suffix))),
                }
            }
            Some(other) => return Err(self.unknown_tag(at, &other)),
        };
        if !holes.touch(text) && self.awaits_key() {
            match tag.unwrap_or_else(|| ScalarTag::of_plain(text)) {
                ScalarTag::Merge => {
                    self.expect_merge();
                    return Ok(());
                }
                ScalarTag::Equals => {
                    self.place(Node::new(Value::Str(text.to_owned()), at), anchor);
                    return Ok(());
                }
                _ => {}
            }
        }
        let (value, opaque) = match tag {
            Some(tag) => (tag.construct(&holes.fill(text)), holes.touch(text)),
            None => {
                let filled = holes.resolve(text);
                (filled.value, filled.opaque)
            }
        };
        let Some(value) = value else {
            let expected = tag.unwrap_or_else(|| ScalarTag::of_plain(text)).expected();
            return Err(ConfigError::Scalar {
                location: self.location(at),
                text: self.quote(text),
                expected,
            });
        };
        let mut node = Node::new(value, at);
        node.opaque = opaque;
        self.place(node, anchor);
        Ok(())
    }

    fn open(
        &mut self,
        content: Content,
        plain: CollectionTag,
        tag: Option<Cow<'_, Tag>>,
        anchor: usize,
        at: Position,
    ) -> Result<(), ConfigError> {
        let tag = match tag.as_deref().map(name) {
            None | Some(TagName::NonSpecific) => plain,
            Some(TagName::Core(suffix)) => {
                match (CollectionTag::from_suffix(suffix), ScalarTag::from_suffix(suffix)) {
                    (Some(tag), _) => tag,
                    (None, Some(tag)) => return Err(self.shape(at, "a collection", tag.expected())),
                    (None, None) => return Err(self.unknown_tag(at, &TagName::Core(suffix))),
                }
            }
            Some(other) => return Err(self.unknown_tag(at, &other)),
        };
        self.check_depth(self.frames.len() + 1, at)?;
        self.frames.push(Frame { tag, anchor, at, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), ConfigError> {
        let Some(Frame { tag, anchor, at, content }) = self.frames.pop() else { return Ok(()) };
        let value = match content {
            Content::Items(items) => construct::sequence(tag, items, at),
            Content::Pairs { pairs, .. } => {
                let added = pairs.iter().filter(|(key, _)| key.is_none()).map(|(_, value)| value.unfolded);
                self.unfolded = added.fold(self.unfolded, usize::saturating_add);
                self.check_unfolded(at)?;
                construct::mapping(tag, pairs, at, &mut self.problems)
            }
        };
        let value =
            value.map_err(|Misfit { position, found, expected }| self.shape(position, &found, expected))?;
        self.place(Node::new(value, at), anchor);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), ConfigError> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(self.shape(
                at,
                "an alias to the collection it stands in",
                "an alias to a complete value",
            ));
        };
        self.unfolded = self.unfolded.saturating_add(node.unfolded);
        self.check_unfolded(at)?;
        self.check_depth(self.frames.len() + node.depth, at)?;
        self.put(node);
        Ok(())
    }

    fn place(&mut self, node: Node, anchor: usize) {
        let node = Arc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.put(node);
    }

    fn put(&mut self, node: Arc<Node>) {
        match self.frames.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::Items(items)) => items.push(node),
            Some(Content::Pairs { pairs, key }) => match key.take() {
                Some(key) => pairs.push((key, node)),
                None => *key = Some(Some(node)),
            },
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { content: Content::Pairs { key: None, .. }, .. }))
    }

    fn expect_merge(&mut self) {
        if let Some(Content::Pairs { key, .. }) = self.frames.last_mut().map(|frame| &mut frame.content) {
            *key = Some(None);
        }
    }

    fn check_depth(&self, depth: usize, at: Position) -> Result<(), ConfigError> {
        self.check("levels of nesting", depth, MAX_DEPTH, at)
    }

    fn check_unfolded(&self, at: Position) -> Result<(), ConfigError> {
        self.check("values that aliases unfold to", self.unfolded, MAX_UNFOLDED, at)
    }

    fn check(&self, what: &'static str, count: usize, limit: usize, at: Position) -> Result<(), ConfigError> {
        if count > limit {
            Err(ConfigError::Limit { location: self.location(at), what, limit })
        } else {
            Ok(())
        }
    }

    /// A scalar as it may be shown: not if a secret could be part of it.
    fn quote(&self, text: &str) -> String {
        if self.rendered.quotable { self.rendered.holes.conceal(text) } else { "…".to_owned() }
    }

    fn unknown_tag(&self, at: Position, tag: &TagName<'_>) -> ConfigError {
        let found = self.rendered.holes.conceal(&format!("the tag {tag}"));
        self.shape(at, &found, "no tag, or one of YAML's own such as !!str")
    }

    fn shape(&self, at: Position, found: &str, expected: &'static str) -> ConfigError {
        ConfigError::Shape { location: self.location(at), found: found.to_owned(), expected }
    }

    fn position(&self, span: Span) -> Position {
        self.rendered.map.position(span.start.line(), self.layout.column(&span.start))
    }

    fn location(&self, position: Position) -> Location {
        Location { file: self.file.to_owned(), position }
    }
}

/// A tag as written, sorted by what it can mean here.
enum TagName<'a> {
    NonSpecific,
    Core(&'a str),
    Other(&'a Tag),
}

impl std::fmt::Display for TagName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NonSpecific => f.write_str("!"),
            Self::Core(suffix) => write!(f, "!!{suffix}"),
            Self::Other(tag) => write!(f, "{}{}", tag.handle, tag.suffix),
        }
    }
}

fn name(tag: &Tag) -> TagName<'_> {
    const CORE: &str = "tag:yaml.org,2002:";
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("", "!") | ("!", "") => TagName::NonSpecific,
        (CORE, suffix) => TagName::Core(suffix),
        ("", suffix) if suffix.starts_with(CORE) => TagName::Core(&suffix[CORE.len()..]),
        _ => TagName::Other(tag),
    }
}
