//! What plugins ask of a hook: whether something is about to happen or has happened, and where its payload keeps what.

/// A hook as built-in plugins see it. Make one per hook when plugins are attached, and keep it.
///
/// ```
/// use cpex_builtin::plugin::{Moment, Site};
///
/// let site = Site::of("tool_pre_invoke");
/// assert_eq!((site.moment(), site.subject(), site.arguments()), (Moment::Before, Some("name"), Some("args")));
/// assert_eq!(Site::of("mail_pre_send").moment(), Moment::Before);
/// ```
#[derive(Clone, Debug)]
pub struct Site {
    hook: Box<str>,
    fields: Fields,
    moment: Moment,
    returns: Returns,
    sees_headers: bool,
}

/// When a hook is invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before something happens that a plugin can stop.
    Before,
    /// After it has happened.
    After,
    /// Neither, or nobody knows.
    Other,
}

/// What plugins return at a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returns {
    Payload,
    Headers,
    Other,
}

/// Top-level fields of a payload.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    subject: Option<&'static str>,
    arguments: Option<&'static str>,
    result: Option<&'static str>,
    headers: Option<&'static str>,
}

/// The built-in hooks: name, subject, arguments, result, headers.
const KNOWN: [(&str, [&str; 4]); 13] = [
    ("tool_pre_invoke", ["name", "args", "", "headers"]),
    ("tool_post_invoke", ["name", "", "result", ""]),
    ("prompt_pre_fetch", ["prompt_id", "args", "", ""]),
    ("prompt_post_fetch", ["prompt_id", "", "result", ""]),
    ("resource_pre_fetch", ["uri", "metadata", "", ""]),
    ("resource_post_fetch", ["uri", "", "content", ""]),
    ("agent_pre_invoke", ["agent_id", "parameters", "", "headers"]),
    ("agent_post_invoke", ["agent_id", "", "messages", ""]),
    ("http_pre_request", ["", "", "", "headers"]),
    ("http_post_request", ["", "", "", "response_headers"]),
    ("http_auth_resolve_user", ["", "", "", "headers"]),
    ("identity_resolve", ["", "", "", "headers"]),
    ("token_delegate", ["target_name", "", "", ""]),
];

impl Site {
    /// A hook by its name. One that is not built in has no fields that are known; whether it comes before or after
    /// something is told by `pre` or `post` in its name.
    #[must_use]
    pub fn of(hook: &str) -> Self {
        let known =
            KNOWN.iter().find(|(name, _)| *name == hook).map(|(_, fields)| *fields).unwrap_or_default();
        let [subject, arguments, result, headers] = known.map(|field| (!field.is_empty()).then_some(field));
        let returns = match hook {
            "http_pre_request" | "http_post_request" => Returns::Headers,
            "http_auth_resolve_user"
            | "http_auth_check_permission"
            | "identity_resolve"
            | "token_delegate" => Returns::Other,
            _ => Returns::Payload,
        };
        let fields = Fields { subject, arguments, result, headers };
        Self { hook: hook.into(), fields, moment: moment(hook), returns, sees_headers: false }
    }

    /// The same, at which plugins return something else than it is about.
    #[must_use]
    pub fn returning_other(self) -> Self {
        let returns = if self.returns == Returns::Payload { Returns::Other } else { self.returns };
        Self { returns, ..self }
    }

    /// The same for a plugin that is shown the headers of the request beside the payload, so that
    /// [`Request::header`](super::Request::header) can answer.
    #[must_use]
    pub const fn seeing_headers(mut self, sees: bool) -> Self {
        self.sees_headers = sees;
        self
    }

    /// The hook's name.
    #[must_use]
    pub const fn hook(&self) -> &str {
        &self.hook
    }

    /// When it is invoked.
    #[must_use]
    pub const fn moment(&self) -> Moment {
        self.moment
    }

    /// The field with the name of the tool, prompt, resource or agent.
    #[must_use]
    pub const fn subject(&self) -> Option<&'static str> {
        self.fields.subject
    }

    /// The field with the arguments of a call.
    #[must_use]
    pub const fn arguments(&self) -> Option<&'static str> {
        self.fields.arguments
    }

    /// The field with the result of a call.
    #[must_use]
    pub const fn result(&self) -> Option<&'static str> {
        self.fields.result
    }

    /// The field with the headers that plugins may change.
    #[must_use]
    pub const fn headers(&self) -> Option<&'static str> {
        self.fields.headers
    }

    /// Whether plugins return headers here, not what the hook is about.
    #[must_use]
    pub const fn returns_headers(&self) -> bool {
        matches!(self.returns, Returns::Headers)
    }

    /// Whether plugins return what the hook is about, with their changes.
    #[must_use]
    pub const fn returns_payload(&self) -> bool {
        matches!(self.returns, Returns::Payload)
    }

    /// Whether the headers of the request are known here, in the payload or beside it.
    pub(crate) const fn knows_headers(&self) -> bool {
        self.fields.headers.is_some() || self.sees_headers
    }

    /// What a hook before something and the one after it have in common: their name without `pre` and `post`.
    pub(crate) fn pair(&self) -> String {
        let words = self.hook.split('_').filter(|word| !matches!(*word, "pre" | "post"));
        let words: Vec<_> =
            words.map(|word| word.trim_end_matches(".pre").trim_end_matches(".post")).collect();
        words.join("_").replace("llm_input", "llm").replace("llm_output", "llm")
    }
}

fn moment(hook: &str) -> Moment {
    let mut words = hook.split(['_', '.']);
    let known = words.find_map(|word| match word {
        "pre" => Some(Moment::Before),
        "post" => Some(Moment::After),
        _ => None,
    });
    known.unwrap_or(match hook {
        "cmf.llm_input" => Moment::Before,
        "cmf.llm_output" => Moment::After,
        _ => Moment::Other,
    })
}
