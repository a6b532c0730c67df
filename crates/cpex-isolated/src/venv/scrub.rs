//! Texts of other programs without the credentials in them.

use std::sync::LazyLock;

use regex::Regex;

const MASK: &str = "***";

/// The user information of URLs.
#[expect(clippy::unwrap_used, reason = "the expression is a constant")]
static USER_INFO: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"://[^/?#\s]+@").unwrap());

/// Hides credentials.
pub(super) struct Scrub {
    secrets: Vec<String>,
}

impl Scrub {
    /// Hides the user information of every URL, and these values wherever they stand.
    pub(super) fn new(mut secrets: Vec<String>) -> Self {
        secrets.retain(|secret| secret.len() > 3);
        // A secret may hold another one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The text without them, nor what a terminal would act on.
    pub(super) fn text(&self, text: &str) -> String {
        let acts = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
        let mut text = without_user_info(text).replace(acts, "\u{fffd}");
        for secret in &self.secrets {
            text = text.replace(secret, MASK);
        }
        text
    }
}

/// A text whose URLs name no user.
pub(super) fn without_user_info(text: &str) -> String {
    USER_INFO.replace_all(text, "://***@").into_owned()
}
