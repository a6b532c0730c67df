//! `prompt_injection`: patterns of known attempts to take over a model, scored.
//!
//! This is a tripwire, not a wall. It finds what has the form of attempts that are known and written in English;
//! one that is worded anew, in another language, or spread over several texts passes. What a model may do must be
//! limited elsewhere: by what its tools are allowed to.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use icu_normalizer::ComposingNormalizerBorrowed;
use regex::{Regex, RegexSet, RegexSetBuilder};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report};
use crate::inspect::Detector;
use crate::text::Place;

/// The configuration of `prompt_injection`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PromptInjectionConfig {
    /// The score from which on a payload counts as an attempt: between 0 and 1.
    pub threshold: f64,
    /// What happens to an attempt.
    pub action: OnAttempt,
    /// Further patterns and what each adds to the score, between 0 and 1.
    pub patterns: BTreeMap<String, f64>,
}

impl Default for PromptInjectionConfig {
    fn default() -> Self {
        Self { threshold: 0.7, action: OnAttempt::Deny, patterns: BTreeMap::new() }
    }
}

/// What happens to an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnAttempt {
    /// The payload goes no further.
    #[default]
    Deny,
    /// It is reported, nothing more.
    Report,
}

/// A sign of an attempt: what it is called, how much it weighs, and its pattern in folded text.
struct Signal {
    kind: &'static str,
    weight: f64,
    pattern: &'static str,
}

const fn signal(kind: &'static str, weight: f64, pattern: &'static str) -> Signal {
    Signal { kind, weight, pattern }
}

const SIGNALS: [Signal; 12] = [
    signal(
        "override",
        0.75,
        r"\b(?:ignore|disregard|forget|override|bypass|do not follow|don't follow|stop following)\b.{0,30}\b(?:previous|prior|above|earlier|preceding|foregoing|all|any|your|system|original|initial)\b.{0,20}\b(?:instruction|prompt|rule|direction|guideline|command|context|message|policy|policies|training)s?\b",
    ),
    signal(
        "new_instructions",
        0.4,
        r"\b(?:new|updated|real|actual|following)\s+(?:system\s+)?(?:instructions?|task|objective|directive)s?\s*(?::|are\b|is\b)",
    ),
    signal(
        "role_play",
        0.5,
        r"\byou are (?:now|no longer)\b|\bfrom now on,? you\b|\b(?:act|behave|respond) as (?:if you (?:are|were|have) )?(?:an? )?(?:unrestricted|unfiltered|uncensored|jailbroken|evil|developer mode|root|dan\b)|\bpretend (?:to be|you are|that you)\b",
    ),
    signal(
        "jailbreak",
        0.7,
        r"\bdo anything now\b|\bjailbreak(?:ed|ing)?\b|\b(?:developer|god|debug|sudo|dan) mode\b|\bwithout (?:any )?(?:restriction|filter|censorship|limitation|safety)s?\b",
    ),
    signal(
        "prompt_leak",
        0.7,
        r"\b(?:reveal|show|print|repeat|output|display|disclose|leak|tell me|give me|what (?:is|are|was|were))\b.{0,30}\b(?:your|the|initial|hidden|secret)\b.{0,12}\b(?:system prompt|system message|initial (?:prompt|instructions)|hidden (?:prompt|instructions)|original instructions|developer message|instructions above|text above)\b",
    ),
    signal(
        "template",
        0.7,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)\|?>?|\[/?inst\]|<</?sys>>|</?(?:system|assistant)(?:_prompt|_message)?>|^\s*#{2,}\s*(?:system|instruction|assistant)\b",
    ),
    signal("speaker", 0.4, r"(?m)^\s*(?:system|assistant|developer)\s*(?:message|prompt)?\s*:"),
    signal(
        "secrecy",
        0.5,
        r"\b(?:do not|don't|never|without)\b.{0,20}\b(?:tell|inform|mention|telling|informing|mentioning|notify|alert(?:ing)?)\b.{0,20}\b(?:the )?(?:user|human|anyone|them)\b",
    ),
    signal(
        "exfiltration",
        0.6,
        r"\b(?:send|post|upload|forward|exfiltrate|transmit|append|email)\b.{0,60}\b(?:conversation|chat history|context|credentials?|passwords?|api keys?|secrets?|environment variables|\.env|ssh keys?|private keys?|user(?:'s)? data)\b.{0,60}\b(?:to|at|via)\b.{0,20}(?:https?://|@|webhook|server|address|url)",
    ),
    signal(
        "tool_order",
        0.5,
        r"<important>|\bbefore (?:using|calling|invoking) (?:this|any|the)\b.{0,20}\btools?\b.{0,40}\b(?:read|call|send|pass|include)\b|\b(?:read|open|cat)\b.{0,20}(?:~/\.ssh|id_rsa|/etc/passwd|\.env\b|\.aws/credentials)",
    ),
    signal(
        "decode",
        0.35,
        r"\b(?:decode|decrypt|rot13|base64)\b.{0,40}\b(?:and|then)\b.{0,20}\b(?:follow|execute|run|obey|do)\b",
    ),
    signal(
        "urgency",
        0.15,
        r"\b(?:it is (?:critical|imperative)|you must (?:always|immediately|obey|comply)|this is an? (?:order|emergency|override))\b",
    ),
];

/// Weight of signs that nobody sees: they hide text from people that a model reads.
const HIDDEN: (&str, f64) = ("hidden_text", 0.6);
/// So many invisible signs are no accident of an emoji or of a script that joins letters.
const MANY_HIDDEN: usize = 8;

/// Finds attempts to take over a model.
pub struct PromptInjection {
    set: RegexSet,
    regexes: Vec<Regex>,
    weights: BTreeMap<Arc<str>, f64>,
    kinds: Vec<Arc<str>>,
    config: PromptInjectionConfig,
}

impl PromptInjection {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The threshold or a weight is not between 0 and 1, or a pattern is no regular expression.
    pub fn new(config: PromptInjectionConfig) -> Result<Self, ConfigError> {
        in_range(config.threshold, "threshold")?;
        for (pattern, weight) in &config.patterns {
            let field = format!("patterns.{pattern}");
            in_range(*weight, &field)?;
            Regex::new(pattern).map_err(|error| ConfigError::new(field, error.to_string()))?;
        }
        let own = config.patterns.iter().enumerate();
        let own = own.map(|(index, (pattern, weight))| {
            (Arc::from(format!("pattern_{index}")), *weight, pattern.as_str())
        });
        let signals =
            SIGNALS.iter().map(|signal| (Arc::from(signal.kind), signal.weight, signal.pattern)).chain(own);
        let (mut kinds, mut weights, mut patterns) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (kind, weight, pattern) in signals {
            weights.insert(Arc::clone(&kind), weight);
            kinds.push(kind);
            patterns.push(format!("(?is:{pattern})"));
        }
        weights.insert(HIDDEN.0.into(), HIDDEN.1);
        let problem = |error: regex::Error| ConfigError::new("patterns", error.to_string());
        let set = RegexSetBuilder::new(&patterns).size_limit(16 << 20).build().map_err(problem)?;
        let regexes =
            patterns.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>().map_err(problem)?;
        Ok(Self { set, regexes, weights, kinds, config })
    }

    /// How likely a payload with these findings is an attempt: each kind counts once, and what speaks for it
    /// together is 1 − ∏(1 − weight).
    #[must_use]
    pub fn score(&self, report: &Report) -> f64 {
        let weights = report.counts().keys().filter_map(|kind| self.weights.get(kind));
        1.0 - weights.map(|weight| 1.0 - weight).product::<f64>()
    }
}

impl Detector for PromptInjection {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        let (folded, hidden) = fold(text);
        if hidden >= MANY_HIDDEN {
            report.add(Finding::new(HIDDEN.0, 0..text.len(), Confidence::Medium), place);
        }
        for index in self.set.matches(&folded) {
            // A folded text has other places than the text; then the finding is all of it.
            let span = match &folded {
                Cow::Borrowed(text) => self.regexes[index].find(text).map(|found| found.range()),
                Cow::Owned(_) => None,
            };
            let span = span.unwrap_or(0..text.len());
            report.add(Finding::new(self.kinds[index].clone(), span, Confidence::Medium), place);
        }
        None
    }

    fn conclude(&self, report: &mut Report) {
        let score = self.score(report);
        if self.config.action == OnAttempt::Deny && score >= self.config.threshold {
            report.deny("PROMPT_INJECTION", "the payload looks like an attempt to take over the model");
            if let Some(denial) = &mut report.denial {
                denial.details.insert("score".to_owned(), ((score * 100.0).round() / 100.0).into());
            }
        }
    }

    fn rewrites(&self) -> bool {
        false
    }
}

fn in_range(value: f64, field: &str) -> Result<(), ConfigError> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::new(field, "give a number between 0 and 1"))
    }
}

/// A text without invisible signs, with letters of other forms made plain, and how many signs were invisible.
fn fold(text: &str) -> (Cow<'_, str>, usize) {
    static NFKC: LazyLock<ComposingNormalizerBorrowed<'static>> =
        LazyLock::new(ComposingNormalizerBorrowed::new_nfkc);
    if text.is_ascii() {
        return (Cow::Borrowed(text), 0);
    }
    let hidden = text.chars().filter(|character| is_invisible(*character)).count();
    let seen: Cow<'_, str> = match hidden {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(text.chars().filter_map(seen).collect()),
    };
    match seen {
        Cow::Borrowed(text) => (NFKC.normalize(text), hidden),
        Cow::Owned(text) => (Cow::Owned(NFKC.normalize(&text).into_owned()), hidden),
    }
}

/// Signs without width, marks of direction, and tags.
const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A sign as a model reads it: tags are letters in disguise.
fn seen(character: char) -> Option<char> {
    match character {
        '\u{e0020}'..='\u{e007e}' => char::from_u32(u32::from(character) - 0xe0000),
        _ if is_invisible(character) => None,
        _ => Some(character),
    }
}
