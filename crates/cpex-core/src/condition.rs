//! Does this plugin run for this request? Compiled once per hook, pure.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashSet;

/// What a payload is about, for the hooks whose payloads can be matched by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A tool, matched by `tools`.
    Tool,
    /// A prompt, matched by `prompts`.
    Prompt,
    /// A resource, matched by `resources`.
    Resource,
    /// An agent, matched by `agents`.
    Agent,
}

impl Subject {
    /// What the payloads of a hook are about, and the payload field that says it. `None`: nothing to match.
    #[must_use]
    pub fn of_hook(hook: &str) -> Option<(Self, &'static str)> {
        Some(match hook {
            "tool_pre_invoke" | "tool_post_invoke" => (Self::Tool, "name"),
            "token_delegate" => (Self::Tool, "target_name"),
            "identity_resolve" => (Self::Tool, "raw_token"),
            "prompt_pre_fetch" | "prompt_post_fetch" => (Self::Prompt, "prompt_id"),
            "resource_pre_fetch" | "resource_post_fetch" => (Self::Resource, "uri"),
            "agent_pre_invoke" | "agent_post_invoke" => (Self::Agent, "agent_id"),
            _ => return None,
        })
    }
}

/// One condition as it is written in a configuration. Empty fields are not tested.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is named as in the configuration")]
pub struct Spec {
    pub server_ids: Vec<String>,
    pub tenant_ids: Vec<String>,
    pub tools: Vec<String>,
    pub prompts: Vec<String>,
    pub resources: Vec<String>,
    pub agents: Vec<String>,
    pub user_patterns: Vec<String>,
    pub content_types: Vec<String>,
}

/// A condition compiled for one hook: every part that is not empty must match.
#[derive(Clone, Debug)]
pub struct Condition {
    servers: HashSet<Box<str>>,
    tenants: HashSet<Box<str>>,
    subjects: HashSet<Box<str>>,
    user_patterns: Box<[String]>,
    content_types: Box<[String]>,
}

/// Who is asking. A pattern matches part of a name, or one whole key of a record.
#[derive(Clone, Copy)]
pub enum User<'a> {
    /// Nobody, or an empty name or record: no pattern matches.
    Unknown,
    /// A user name.
    Name(&'a str),
    /// A user record; the function tells whether it has a key.
    Keys(&'a dyn Fn(&str) -> bool),
}

/// What the payload names.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// Nothing: every set of names matches.
    Nothing,
    /// This.
    Text(&'a str),
    /// Something that equals no name, such as a secret.
    Opaque,
}

/// What conditions can ask about a request.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each field is named as in the request context")]
pub struct Facts<'a> {
    pub server_id: Option<&'a str>,
    pub tenant_id: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub user: User<'a>,
    pub named: Named<'a>,
}

impl Facts<'_> {
    /// A request about which nothing is known.
    pub const NONE: Facts<'static> = Facts {
        server_id: None,
        tenant_id: None,
        content_type: None,
        user: User::Unknown,
        named: Named::Nothing,
    };
}

/// The part of a condition that did not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// `server_ids`
    Server,
    /// `tenant_ids`
    Tenant,
    /// `content_types`
    ContentType,
    /// `user_patterns`
    User,
    /// `tools`, `prompts`, `resources` or `agents`
    Subject,
}

impl Condition {
    /// Compiles a condition for a hook.
    #[must_use]
    pub fn new(spec: &Spec, hook: &str) -> Self {
        let subjects = match Subject::of_hook(hook) {
            Some((Subject::Tool, _)) => names(&spec.tools),
            Some((Subject::Prompt, _)) => names(&spec.prompts),
            Some((Subject::Resource, _)) => names(&spec.resources),
            Some((Subject::Agent, _)) => names(&spec.agents),
            None => HashSet::new(),
        };
        Self {
            servers: names(&spec.server_ids),
            tenants: names(&spec.tenant_ids),
            subjects,
            user_patterns: spec.user_patterns.clone().into(),
            content_types: spec.content_types.iter().map(|c| normalize_content_type(c)).collect(),
        }
    }

    /// Does every part match?
    ///
    /// # Errors
    /// The first part that does not.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), Unmet> {
        self.check_request(facts)?;
        let named = match facts.named {
            Named::Nothing => true,
            Named::Text(name) => self.subjects.contains(name),
            Named::Opaque => false,
        };
        require(self.subjects.is_empty() || named, Unmet::Subject)
    }

    /// As [`check`](Self::check), without looking at what the payload names.
    ///
    /// # Errors
    /// The first part that does not match.
    pub fn check_request(&self, facts: &Facts<'_>) -> Result<(), Unmet> {
        require(holds(&self.servers, facts.server_id), Unmet::Server)?;
        require(holds(&self.tenants, facts.tenant_id), Unmet::Tenant)?;
        require(self.content_type_matches(facts.content_type), Unmet::ContentType)?;
        require(self.user_patterns.is_empty() || self.user_matches(facts.user), Unmet::User)
    }

    fn content_type_matches(&self, content_type: Option<&str>) -> bool {
        if self.content_types.is_empty() {
            return true;
        }
        let Some(essence) = content_type.map(essence).filter(|e| !e.is_empty()) else { return false };
        if essence.is_ascii() {
            return self.content_types.iter().any(|t| t.eq_ignore_ascii_case(essence));
        }
        let essence = essence.to_lowercase();
        self.content_types.contains(&essence)
    }

    fn user_matches(&self, user: User<'_>) -> bool {
        self.user_patterns.iter().any(|pattern| match user {
            User::Unknown => false,
            User::Name(name) => name.contains(pattern.as_str()),
            User::Keys(has_key) => has_key(pattern),
        })
    }
}

/// Does any of the conditions match? No conditions: always.
///
/// # Errors
/// What was missing in the last one.
pub fn check_any(conditions: &[Condition], facts: &Facts<'_>) -> Result<(), Unmet> {
    let mut result = Ok(());
    for condition in conditions {
        result = condition.check(facts);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// A content type without parameters, in lower case: `"Text/HTML; charset=x"` → `"text/html"`.
#[must_use]
pub fn normalize_content_type(content_type: &str) -> String {
    essence(content_type).to_lowercase()
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn names(list: &[String]) -> HashSet<Box<str>> {
    list.iter().map(|name| Box::from(name.as_str())).collect()
}

fn holds(set: &HashSet<Box<str>>, value: Option<&str>) -> bool {
    set.is_empty() || value.is_some_and(|value| set.contains(value))
}

fn require(holds: bool, unmet: Unmet) -> Result<(), Unmet> {
    if holds { Ok(()) } else { Err(unmet) }
}
