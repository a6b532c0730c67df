//! Extensions as the table of scenarios writes them: the members of each slot.

use std::collections::{BTreeMap, BTreeSet};

use cpex::Extensions;
use cpex::extensions::{Agent, Delegation, Hop, Http, Request, Security, Subject, SubjectType};
use cpex_core::Slot;
use cpex_testkit::{Edit, Writing};
use jiff::Timestamp;

type Members = BTreeMap<Slot, Vec<String>>;

/// The extensions of the table, as those of this host.
pub(crate) fn of_table(extensions: &cpex_testkit::Extensions) -> Extensions {
    let members = |slot| extensions.members(slot).iter().map(|member| (*member).to_owned()).collect();
    build(&extensions.slots().map(|slot| (slot, members(slot))).collect())
}

/// `request: r; security.labels: A B`
pub(crate) fn text(extensions: &Extensions) -> String {
    let slot =
        |(slot, members): (Slot, Vec<String>)| format!("{}: {}", slot.policy().path, members.join(" "));
    members_of(extensions).into_iter().map(slot).collect::<Vec<_>>().join("; ")
}

/// What a plugin makes of what it was shown.
pub(crate) fn edit(shown: &Extensions, Writing(edits): Writing) -> Extensions {
    let mut members = members_of(shown);
    for edit in edits.into_iter().flatten() {
        match edit {
            Edit::Add(slot, member) => members.entry(slot).or_default().push(member.to_owned()),
            Edit::Put(slot, member) => drop(members.insert(slot, vec![member.to_owned()])),
            Edit::Shorten(slot) => drop(members.entry(slot).or_default().drain(..1)),
            Edit::Empty(slot) | Edit::Omit(slot) => drop(members.remove(&slot)),
        }
    }
    build(&members)
}

fn build(members: &Members) -> Extensions {
    let first = |slot| members.get(&slot).and_then(|members| members.first().cloned());
    let set = |slot| members.get(&slot).into_iter().flatten().cloned().collect::<BTreeSet<_>>();
    fn keys<V: Clone>(keys: &[String], value: V) -> BTreeMap<String, V> {
        keys.iter().map(|key| (key.clone(), value.clone())).collect()
    }
    let subject = first(Slot::Subject).map(|id| Subject {
        roles: set(Slot::SubjectRoles),
        teams: set(Slot::SubjectTeams),
        claims: set(Slot::SubjectClaims).into_iter().map(|claim| (claim, String::new())).collect(),
        permissions: set(Slot::SubjectPermissions),
        ..Subject::new(id, SubjectType::User)
    });
    let security = Security {
        labels: set(Slot::Labels),
        classification: first(Slot::Classification),
        subject,
        ..Security::default()
    };
    Extensions {
        request: first(Slot::Request).map(|id| Request { request_id: Some(id), ..Request::default() }),
        agent: first(Slot::Agent).map(|id| Agent { agent_id: Some(id), ..Agent::default() }),
        http: members.get(&Slot::Http).map(|names| Http { headers: keys(names, String::new()) }),
        security: (security != Security::default()).then_some(security),
        delegation: members.get(&Slot::Delegation).map(|subjects| delegation(subjects)),
        custom: members.get(&Slot::Custom).map(|names| keys(names, true.into())),
        ..Extensions::default()
    }
}

fn delegation(subjects: &[String]) -> Delegation {
    let hop = |subject: &String| Hop { timestamp: Timestamp::UNIX_EPOCH, ..Hop::new(subject, "user") };
    Delegation { chain: subjects.iter().map(hop).collect(), depth: subjects.len(), ..Delegation::default() }
}

fn members_of(extensions: &Extensions) -> Members {
    let security = extensions.security.clone().unwrap_or_default();
    let Subject { roles, teams, claims, permissions, .. } =
        security.subject.clone().unwrap_or_else(|| Subject::new("", SubjectType::User));
    let hops = extensions.delegation.iter().flat_map(|delegation| &delegation.chain);
    let headers = extensions.http.iter().flat_map(|http| http.headers.keys());
    let custom = extensions.custom.iter().flat_map(BTreeMap::keys);
    let found: [(Slot, Vec<String>); 12] = [
        (Slot::Request, extensions.request.iter().filter_map(|request| request.request_id.clone()).collect()),
        (Slot::Agent, extensions.agent.iter().filter_map(|agent| agent.agent_id.clone()).collect()),
        (Slot::Subject, security.subject.into_iter().map(|subject| subject.id).collect()),
        (Slot::SubjectRoles, roles.into_iter().collect()),
        (Slot::SubjectTeams, teams.into_iter().collect()),
        (Slot::SubjectClaims, claims.into_keys().collect()),
        (Slot::SubjectPermissions, permissions.into_iter().collect()),
        (Slot::Classification, security.classification.into_iter().collect()),
        (Slot::Labels, security.labels.into_iter().collect()),
        (Slot::Http, headers.cloned().collect()),
        (Slot::Delegation, hops.map(|hop| hop.subject_id.clone()).collect()),
        (Slot::Custom, custom.cloned().collect()),
    ];
    found.into_iter().filter(|(_, members)| !members.is_empty()).collect()
}
