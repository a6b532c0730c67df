use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// On whose behalf a request is made, hop by hop. Only ever grows: see [`with_hop`](Self::with_hop).
///
/// ```
/// use cpex::extensions::{Delegation, Hop};
///
/// let delegation = Delegation::default().with_hop(Hop::new("alice", "user")).with_hop(Hop::new("helper", "agent"));
/// assert_eq!(delegation.depth, 2);
/// assert_eq!(delegation.origin_subject_id.as_deref(), Some("alice"));
/// assert_eq!(delegation.actor_subject_id.as_deref(), Some("helper"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delegation {
    /// The hops, the first one first.
    pub chain: Vec<Hop>,
    /// How many there are.
    pub depth: usize,
    /// Who it began with.
    pub origin_subject_id: Option<String>,
    /// Who acts now.
    pub actor_subject_id: Option<String>,
    /// Whether anybody acts for somebody else.
    pub delegated: bool,
    /// How old the first hop is, in seconds.
    pub age_seconds: f64,
}

/// One subject acting for the one before.
///
/// ```
/// let hop = cpex::extensions::Hop::new("alice", "user");
/// assert!(!hop.from_cache);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Which subject.
    pub subject_id: String,
    /// What kind of subject.
    pub subject_type: String,
    /// Whom its token is for.
    #[serde(default)]
    pub audience: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub scopes_granted: Vec<String>,
    /// Since when.
    #[serde(default = "Timestamp::now")]
    pub timestamp: Timestamp,
    /// For how many seconds.
    #[serde(default)]
    pub ttl_seconds: Option<i64>,
    /// How the token was obtained.
    #[serde(default)]
    pub strategy: Option<String>,
    /// Whether it came from a cache.
    #[serde(default)]
    pub from_cache: bool,
}

impl Delegation {
    /// A new chain with one more hop; its age is that of the first hop.
    ///
    /// ```
    /// use cpex::extensions::{Delegation, Hop};
    ///
    /// assert!(Delegation::default().with_hop(Hop::new("alice", "user")).delegated);
    /// ```
    #[must_use]
    pub fn with_hop(&self, hop: Hop) -> Self {
        let age = |first: &Hop| Timestamp::now().duration_since(first.timestamp).as_secs_f64();
        Self {
            depth: self.chain.len() + 1,
            origin_subject_id: self.origin_subject_id.clone().or_else(|| Some(hop.subject_id.clone())),
            actor_subject_id: Some(hop.subject_id.clone()),
            delegated: true,
            age_seconds: self.chain.first().map_or(0.0, age),
            chain: self.chain.iter().cloned().chain([hop]).collect(),
        }
    }
}

impl Hop {
    /// A hop that begins now.
    ///
    /// ```
    /// assert_eq!(cpex::extensions::Hop::new("alice", "user").subject_id, "alice");
    /// ```
    #[must_use]
    pub fn new(subject_id: impl Into<String>, subject_type: impl Into<String>) -> Self {
        Self {
            subject_id: subject_id.into(),
            subject_type: subject_type.into(),
            audience: None,
            scopes_granted: Vec::new(),
            timestamp: Timestamp::now(),
            ttl_seconds: None,
            strategy: None,
            from_cache: false,
        }
    }
}
