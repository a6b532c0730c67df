//! What a request is known by, and which requests a plugin runs for.

use cpex_core::Facts;
use cpex_core::condition::{Named, Spec, User};

/// The hook of the simulated world: its payloads name a tool.
pub const HOOK: &str = "tool_pre_invoke";

/// What is known about a request, beside the tool that its payload names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the request context")]
pub struct Asked {
    pub server_id: Option<&'static str>,
    pub tenant_id: Option<&'static str>,
    pub content_type: Option<&'static str>,
    pub user: Option<&'static str>,
}

/// One condition: every part that is there must fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in a configuration")]
pub struct When {
    pub server_id: Option<&'static str>,
    pub tenant_id: Option<&'static str>,
    pub content_type: Option<&'static str>,
    pub user_pattern: Option<&'static str>,
    pub tool: Option<&'static str>,
}

impl Asked {
    /// Nothing is known.
    pub const NOTHING: Self = Self { server_id: None, tenant_id: None, content_type: None, user: None };

    /// The same in the words of the core, for a payload that names this tool.
    #[must_use]
    pub fn facts<'a>(&self, tool: &'a str) -> Facts<'a> {
        Facts {
            server_id: self.server_id,
            tenant_id: self.tenant_id,
            content_type: self.content_type,
            user: self.user.map_or(User::Unknown, User::Name),
            named: Named::Text(tool),
        }
    }
}

impl When {
    /// Always.
    pub const ANY: Self =
        Self { server_id: None, tenant_id: None, content_type: None, user_pattern: None, tool: None };

    /// For this tenant.
    #[must_use]
    pub const fn tenant(tenant: &'static str) -> Self {
        Self { tenant_id: Some(tenant), ..Self::ANY }
    }

    /// Does it fit a request about this tool?
    #[must_use]
    pub fn fits(&self, asked: &Asked, tool: &str) -> bool {
        let same = |wanted: Option<&str>, found: Option<&str>| wanted.is_none() || wanted == found;
        let media_type = asked.content_type.and_then(|whole| whole.split(';').next());
        let media_type = media_type.map(|kind| kind.trim().to_lowercase());
        same(self.server_id, asked.server_id)
            && same(self.tenant_id, asked.tenant_id)
            && same(self.content_type, media_type.as_deref())
            && self.user_pattern.is_none_or(|part| asked.user.is_some_and(|user| user.contains(part)))
            && same(self.tool, Some(tool))
    }

    pub(crate) fn spec(&self) -> Spec {
        let list = |part: Option<&str>| part.map(str::to_owned).into_iter().collect();
        Spec {
            server_ids: list(self.server_id),
            tenant_ids: list(self.tenant_id),
            content_types: list(self.content_type),
            user_patterns: list(self.user_pattern),
            tools: list(self.tool),
            ..Spec::default()
        }
    }
}
