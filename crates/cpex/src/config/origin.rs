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
    pub(crate) fn path(&self) -> [Step<'static>; 3] {
        [Step::Key("plugins"), Step::Index(self.index), Step::Key("config")]
    }

    /// File, line and column of the entry.
    pub(crate) fn place(&self) -> String {
        let at = self.document.locate(&self.path()[..2]).unwrap_or(cpex_config::Position::START);
        format!("{}:{at}", self.document.file())
    }

    /// The plugin's own settings.
    pub(crate) fn config(&self) -> Option<&Arc<Node>> {
        let plugins = self.document.root()?.get("plugins")?;
        match plugins.value() {
            cpex_config::Value::Seq(entries) => entries.get(self.index)?.get("config"),
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
