use std::fmt;
use std::sync::Arc;

use cpex_config::{Document, Node, Step};

/// Where an entry was read. Two entries that say the same are the same, wherever they stand.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) document: Arc<Document>,
    pub(crate) index: usize,
}

impl Origin {
    /// The path of the entry.
    pub(crate) fn entry(&self) -> [Step<'static>; 2] {
        [Step::Key("plugins"), Step::Index(self.index)]
    }

    /// The path of one of its sections.
    pub(crate) fn path(&self, section: &'static str) -> [Step<'static>; 3] {
        let [plugins, index] = self.entry();
        [plugins, index, Step::Key(section)]
    }

    /// File, line and column of the entry.
    pub(crate) fn place(&self) -> String {
        let at = self.document.locate(&self.entry()).unwrap_or(cpex_config::Position::START);
        format!("{}:{at}", self.document.file())
    }

    /// One of its sections, such as the plugin's own settings.
    pub(crate) fn section(&self, name: &str) -> Option<&Arc<Node>> {
        let plugins = self.document.root()?.get("plugins")?;
        match plugins.value() {
            cpex_config::Value::Seq(entries) => entries.get(self.index)?.get(name),
            _ => None,
        }
    }
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}
