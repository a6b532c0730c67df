//! Where the texts behind tokens are kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use regex::{Captures, Regex};

use crate::text::{Editor, Place};

static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[[^\[\]]+:[a-p]{20}\]").expect("the pattern is valid"));

/// Keeps texts by their tokens.
pub trait Vault: Send + Sync {
    /// Keeps a text. A vault that is full may drop it: the token stays, and nobody can turn it back.
    fn keep(&self, token: &str, text: &str);

    /// The text of a token.
    fn reveal(&self, token: &str) -> Option<String>;
}

/// A vault in the memory of this process, gone with it. When it is full, the oldest texts make room.
pub struct MemoryVault {
    kept: RwLock<Kept>,
    most: usize,
}

#[derive(Default)]
struct Kept {
    texts: HashMap<Arc<str>, Box<str>>,
    /// The tokens, the oldest first.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

/// So many bytes of texts are kept for each text that fits by number: a custom pattern may find long ones.
const BYTES_EACH: usize = 1024;

impl MemoryVault {
    /// A vault for so many texts, of a KB each on average.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { kept: RwLock::default(), most }
    }
}

impl Default for MemoryVault {
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Vault for MemoryVault {
    fn keep(&self, token: &str, text: &str) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.texts.contains_key(token) {
            return;
        }
        let token: Arc<str> = token.into();
        kept.bytes += text.len();
        kept.texts.insert(token.clone(), text.into());
        kept.order.push_back(token);
        while kept.order.len() > self.most || kept.bytes > self.most.saturating_mul(BYTES_EACH) {
            let Some(oldest) = kept.order.pop_front() else { break };
            let text = kept.texts.remove(&oldest);
            kept.bytes -= text.map_or(0, |text| text.len());
        }
    }

    fn reveal(&self, token: &str) -> Option<String> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.texts.get(token).map(|text| text.clone().into_string())
    }
}

/// Turns the tokens in a payload back into texts, where its vault knows them.
///
/// Whoever can write a token gets its text: give each tenant a vault and a key of its own.
pub struct Reveal<'a>(pub &'a dyn Vault);

impl Editor for Reveal<'_> {
    fn text(&mut self, text: &str, _place: &Place<'_>) -> Option<String> {
        let mut known = false;
        let revealed = TOKEN.replace_all(text, |token: &Captures<'_>| {
            let text = self.0.reveal(&token[0]);
            known |= text.is_some();
            text.unwrap_or_else(|| token[0].to_owned())
        });
        known.then(|| revealed.into_owned())
    }
}
