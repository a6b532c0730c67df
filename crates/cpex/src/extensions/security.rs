use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Labels, classification, subject, and the profiles of objects and data by name.
///
/// ```
/// let security = cpex::extensions::Security { labels: ["pii".to_owned()].into(), ..Default::default() };
/// assert!(security.labels.contains("pii"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// What is known about the data. They only grow.
    pub labels: BTreeSet<String>,
    /// How confidential it is.
    pub classification: Option<String>,
    /// Who acts.
    pub subject: Option<Subject>,
    /// Objects, by name.
    pub objects: BTreeMap<String, ObjectProfile>,
    /// Data, by name.
    pub data: BTreeMap<String, DataPolicy>,
}

/// The subject that acts.
///
/// ```
/// use cpex::extensions::{Subject, SubjectType};
///
/// let subject = Subject::new("alice", SubjectType::User);
/// assert!(subject.roles.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Which subject.
    pub id: String,
    /// What kind of subject.
    #[serde(rename = "type")]
    pub kind: SubjectType,
    /// Its roles.
    #[serde(default)]
    pub roles: BTreeSet<String>,
    /// What it may do.
    #[serde(default)]
    pub permissions: BTreeSet<String>,
    /// Its teams.
    #[serde(default)]
    pub teams: BTreeSet<String>,
    /// What its token says.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
}

impl Subject {
    /// A subject about which nothing else is known.
    ///
    /// ```
    /// use cpex::extensions::{Subject, SubjectType};
    ///
    /// assert_eq!(Subject::new("indexer", SubjectType::Service).id, "indexer");
    /// ```
    #[must_use]
    pub fn new(id: impl Into<String>, kind: SubjectType) -> Self {
        Self {
            id: id.into(),
            kind,
            roles: BTreeSet::new(),
            permissions: BTreeSet::new(),
            teams: BTreeSet::new(),
            claims: BTreeMap::new(),
        }
    }
}

/// What kind of subject acts.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::extensions::SubjectType::Agent)?, r#""agent""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named as in the format")]
pub enum SubjectType {
    User,
    Agent,
    Service,
    System,
}

/// Who manages an object and what is needed to use it.
///
/// ```
/// assert_eq!(cpex::extensions::ObjectProfile::default().managed_by, "host");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectProfile {
    /// Who manages it.
    pub managed_by: String,
    /// What it takes to use it.
    pub permissions: Vec<String>,
    /// Where it is trusted.
    pub trust_domain: Option<String>,
    /// Which data it covers.
    pub data_scope: Vec<String>,
}

impl Default for ObjectProfile {
    fn default() -> Self {
        Self {
            managed_by: "host".to_owned(),
            permissions: Vec::new(),
            trust_domain: None,
            data_scope: Vec::new(),
        }
    }
}

/// What data may be used for.
///
/// ```
/// let policy = cpex::extensions::DataPolicy { denied_actions: vec!["export".into()], ..Default::default() };
/// assert_eq!(policy.allowed_actions, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataPolicy {
    /// Labels of whatever is made of it.
    pub apply_labels: Vec<String>,
    /// What may be done with it.
    pub allowed_actions: Option<Vec<String>>,
    /// What may not be done with it.
    pub denied_actions: Vec<String>,
    /// How long it may be kept.
    pub retention: Option<Retention>,
}

/// How long data may be kept.
///
/// ```
/// assert_eq!(cpex::extensions::Retention::default().policy, "persistent");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// For how many seconds.
    pub max_age_seconds: Option<i64>,
    /// By which policy.
    pub policy: String,
    /// Until when.
    pub delete_after: Option<String>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { max_age_seconds: None, policy: "persistent".to_owned(), delete_after: None }
    }
}
