//! X2, X3, X6, B9: what plugins are shown of the extensions, and what of what they write is taken.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use cpex::config::{OnError, PluginConfig};
use cpex::extensions::{Delegation, Http, Security, Subject, SubjectType};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Capability, Context, Extensions, Manager, Outcome, PluginContext, Reply, plugin};

/// Writes into the extensions, and remembers what it was shown.
struct Writes {
    edit: fn(&mut Extensions),
    seen: Arc<Mutex<Vec<Extensions>>>,
}

#[plugin]
impl Writes {
    #[hook(TOOL_PRE_INVOKE)]
    async fn write(
        &self,
        _: &ToolPreInvoke,
        _: &mut PluginContext,
        shown: &Extensions,
    ) -> Reply<ToolPreInvoke> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(shown.clone());
        let mut written = shown.clone();
        (self.edit)(&mut written);
        Reply::allow().extensions(written)
    }
}

/// The rights of a plugin, and what it does to what it is shown.
type Script = (&'static [Capability], fn(&mut Extensions));

fn given() -> Extensions {
    let subject = Subject { roles: names(&["admin"]), ..Subject::new("alice", SubjectType::User) };
    Extensions {
        http: Some(Http { headers: [("authorization".to_owned(), "s3cr3t".to_owned())].into() }),
        security: Some(Security { labels: names(&["A"]), subject: Some(subject), ..Security::default() }),
        custom: Some([("k".to_owned(), 1.into())].into()),
        ..Extensions::default()
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn label(extensions: &mut Extensions, label: &str) {
    extensions.security.get_or_insert_default().labels.insert(label.to_owned());
}

/// Runs plugins with these rights and edits: what came of it, and what each of them was shown.
async fn run(plugins: &[Script]) -> (Outcome<ToolPreInvoke>, Vec<Extensions>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let add = |builder: cpex::Builder, (index, (rights, edit)): (usize, &Script)| {
        let entry = PluginConfig::new(format!("p{index}")).capabilities(rights.iter().copied());
        builder.plugin(entry.on_error(OnError::Ignore), Writes { edit: *edit, seen: seen.clone() })
    };
    let builder = plugins.iter().enumerate().fold(Manager::builder(), add);
    let manager = builder.start().await.unwrap_or_else(|error| panic!("{error}"));
    let context = Context::new("1").extensions(given());
    let outcome = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("search"), &context).await;
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (outcome, seen)
}

#[tokio::test]
async fn a_plugin_without_rights_sees_and_writes_only_what_is_everyones() {
    let (outcome, seen) = run(&[(&[], |written| {
        label(written, "B");
        written.custom = None;
    })])
    .await;
    let security = seen[0].security.clone().unwrap();
    assert_eq!((&seen[0].http, security.labels, security.subject), (&None, BTreeSet::new(), None));
    let taken = outcome.extensions.unwrap();
    assert_eq!(*taken, Extensions { custom: None, ..given() });
    let refused = outcome.report.lines().next().unwrap().refused_extensions;
    assert_eq!(refused, [("security.labels", "plugin lacks 'append_labels' capability".to_owned())]);
}

#[tokio::test]
async fn labels_grow_and_the_next_plugin_sees_them() {
    let rights: &'static [Capability] = &[Capability::AppendLabels];
    let (outcome, seen) = run(&[(rights, |written| label(written, "B")), (rights, |_| {})]).await;
    assert_eq!(seen[1].security.as_ref().unwrap().labels, names(&["A", "B"]));
    let taken = outcome.extensions.unwrap();
    assert_eq!(taken.security.as_ref().unwrap().labels, names(&["A", "B"]));
    assert_eq!((&taken.http, &taken.custom), (&given().http, &given().custom));
}

#[tokio::test]
async fn taking_a_label_away_is_a_failure_of_the_plugin() {
    let rights: &'static [Capability] = &[Capability::AppendLabels];
    let (outcome, _) =
        run(&[(rights, |written| written.security.get_or_insert_default().labels.clear())]).await;
    assert_eq!(outcome.extensions, None);
    let line = outcome.report.lines().next().unwrap();
    let detail = line.detail.unwrap();
    assert_eq!(line.outcome, "failed");
    assert!(
        detail.ends_with("monotonic tier on 'security.labels': monotonic slot had elements removed"),
        "{detail}"
    );
}

#[tokio::test]
async fn one_right_to_a_subject_shows_who_it_is_and_that_part() {
    let (_, seen) = run(&[(&[Capability::ReadTeams], |_| {}), (&[Capability::ReadRoles], |_| {})]).await;
    let roles = |extensions: &Extensions| {
        let subject = extensions.security.as_ref().unwrap().subject.clone().unwrap();
        (subject.id, subject.roles)
    };
    assert_eq!(roles(&seen[0]), ("alice".to_owned(), BTreeSet::new()));
    assert_eq!(roles(&seen[1]), ("alice".to_owned(), names(&["admin"])));
}

#[tokio::test]
async fn a_first_hop_is_taken_from_who_may_append() {
    let delegate: fn(&mut Extensions) = |written| {
        let hop = cpex::extensions::Hop::new("alice", "user");
        written.delegation = Some(written.delegation.clone().unwrap_or_default().with_hop(hop));
    };
    let (outcome, _) = run(&[(&[], delegate)]).await;
    assert_eq!(outcome.extensions, None);
    let (outcome, _) = run(&[
        (&[Capability::AppendDelegation], delegate),
        (&[Capability::AppendDelegation], |written| {
            written.delegation =
                Some(Delegation { actor_subject_id: None, ..written.delegation.clone().unwrap() });
        }),
    ])
    .await;
    assert_eq!(outcome.extensions.as_ref().unwrap().delegation.as_ref().unwrap().depth, 1);
    let refused = outcome.report.lines().nth(1).unwrap().refused_extensions;
    assert_eq!(refused, [("delegation", "only new hops may be added".to_owned())]);
}
