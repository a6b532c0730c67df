//! Where the texts behind tokens are kept.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use regex::{Captures, Regex};

use crate::text::{Editor, Place};

static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[[A-Z0-9_]+:[a-p]{20}\]").expect("the pattern is valid"));

/// Keeps texts by their tokens.
pub trait Vault: Send + Sync {
    /// Keeps a text. A vault that is full may drop it: the token stays, and nobody can turn it back.
    fn keep(&self, token: &str, text: &str);

    /// The text of a token.
    fn reveal(&self, token: &str) -> Option<String>;
}

/// A vault in the memory of this process, gone with it.
pub struct MemoryVault {
    texts: RwLock<HashMap<String, String>>,
    capacity: usize,
}

impl MemoryVault {
    /// A vault for so many texts; later ones are not kept.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { texts: RwLock::default(), capacity }
    }
}

impl Default for MemoryVault {
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Vault for MemoryVault {
    fn keep(&self, token: &str, text: &str) {
        let mut texts = self.texts.write().unwrap_or_else(PoisonError::into_inner);
        if texts.len() < self.capacity && !texts.contains_key(token) {
            texts.insert(token.to_owned(), text.to_owned());
        }
    }

    fn reveal(&self, token: &str) -> Option<String> {
        self.texts.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

/// Turns the tokens in a payload back into texts, where its vault knows them.
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
