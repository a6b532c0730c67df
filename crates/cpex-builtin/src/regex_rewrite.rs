//! `regex_rewrite`: search and replace by regular expressions.

use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use serde::Deserialize;

use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report};
use crate::inspect::Detector;
use crate::text::Place;

/// The largest automaton a pattern may become, in bytes.
const LARGEST_PATTERN: usize = 2 << 20;

/// The configuration of `regex_rewrite`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RegexRewriteConfig {
    /// The rules, which are applied in order, each to what those before it made of a text.
    pub rules: Vec<RewriteRule>,
}

/// A pattern and what takes its place.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RewriteRule {
    /// What the rule is called in reports. The pattern's number if it has no name.
    #[serde(default)]
    pub name: Option<String>,
    /// A regular expression in the syntax of the crate `regex`, which matches in linear time.
    pub pattern: String,
    /// What takes its place: `$1` or `${name}` stand for groups, `$$` for a dollar sign.
    pub replacement: String,
    /// Whether `Word` and `word` differ.
    #[serde(default = "yes")]
    pub case_sensitive: bool,
}

const fn yes() -> bool {
    true
}

/// Searches and replaces.
pub struct RegexRewrite {
    rules: Vec<Rule>,
    /// All patterns at once: a text with none of them is read once.
    any: RegexSet,
}

struct Rule {
    kind: Arc<str>,
    regex: Regex,
    replacement: String,
}

impl RegexRewrite {
    /// Compiles the rules.
    ///
    /// # Errors
    /// A pattern is no regular expression, or too large; a replacement names a group that its pattern lacks.
    pub fn new(config: RegexRewriteConfig) -> Result<Self, ConfigError> {
        if config.rules.is_empty() {
            return Err(ConfigError::new("rules", "empty: give at least one rule"));
        }
        let patterns: Vec<String> = config.rules.iter().map(RewriteRule::full_pattern).collect();
        let rules = config
            .rules
            .into_iter()
            .enumerate()
            .map(|(index, rule)| rule.compile(index))
            .collect::<Result<_, _>>()?;
        let any = RegexSetBuilder::new(patterns)
            .size_limit(LARGEST_PATTERN * 8)
            .build()
            .map_err(|error| ConfigError::new("rules", error.to_string()))?;
        Ok(Self { rules, any })
    }
}

impl Detector for RegexRewrite {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        if !self.any.is_match(text) {
            return None;
        }
        let mut current: Option<String> = None;
        for rule in &self.rules {
            if let Some(rewritten) = rule.apply(current.as_deref().unwrap_or(text), place, report) {
                current = Some(rewritten);
            }
        }
        current.filter(|current| current != text)
    }

    fn rewrites(&self) -> bool {
        true
    }
}

impl Rule {
    fn apply(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        let mut found = false;
        let rewritten = self.regex.replace_all(text, |groups: &Captures<'_>| {
            found = true;
            let span = groups.get_match().range();
            report.add(Finding::new(self.kind.clone(), span, Confidence::High), place);
            let mut replacement = String::new();
            groups.expand(&self.replacement, &mut replacement);
            replacement
        });
        found.then(|| rewritten.into_owned())
    }
}

impl RewriteRule {
    fn full_pattern(&self) -> String {
        if self.case_sensitive { self.pattern.clone() } else { format!("(?i:{})", self.pattern) }
    }

    fn compile(self, index: usize) -> Result<Rule, ConfigError> {
        let pattern_field = || format!("rules[{index}].pattern");
        let regex = RegexBuilder::new(&self.pattern)
            .case_insensitive(!self.case_sensitive)
            .size_limit(LARGEST_PATTERN)
            .build()
            .map_err(|error| ConfigError::new(pattern_field(), error.to_string()))?;
        if regex.is_match("") {
            return Err(ConfigError::new(
                pattern_field(),
                "it matches the empty text, so it would match everywhere",
            ));
        }
        if let Some(group) = missing_group(&regex, &self.replacement) {
            let problem =
                format!("the pattern has no group {group:?}; write ${{name}} and $$ for a dollar sign");
            return Err(ConfigError::new(format!("rules[{index}].replacement"), problem));
        }
        let kind = self.name.unwrap_or_else(|| format!("rule_{index}")).into();
        Ok(Rule { kind, regex, replacement: self.replacement })
    }
}

/// A group that the replacement names and the pattern lacks; the library would put nothing in its place.
fn missing_group(regex: &Regex, replacement: &str) -> Option<String> {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, _)) => name,
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                &rest[..end]
            }
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => name.is_empty() || regex.capture_names().flatten().any(|group| group == name),
        };
        if !known {
            return Some(name.to_owned());
        }
    }
    None
}
