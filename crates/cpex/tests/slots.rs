//! X2, X3, X6, B9 for every slot and every pair of capabilities: what a plugin is shown, and what of its writing is
//! taken, is what the table of slots says. Slots are found by their paths in the JSON of the extensions.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::sync::{Arc, Mutex, PoisonError};

use cpex::config::PluginConfig;
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Capability, Context, Extensions, Manager, PluginContext, Reply, plugin};
use cpex_core::capability::Tier;
use cpex_core::{Capabilities, Slot};
use serde_json::{Map, Value, json};

/// Puts a value where a slot lives, and remembers what it was shown.
struct Writes {
    slot: Slot,
    seen: Arc<Mutex<Option<Extensions>>>,
}

#[plugin]
impl Writes {
    #[hook(TOOL_PRE_INVOKE)]
    fn write(
        &self,
        _: &ToolPreInvoke,
        _: &mut PluginContext,
        shown: &Extensions,
    ) -> Result<Reply<ToolPreInvoke>, serde_json::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
        let mut written = serde_json::to_value(shown)?;
        write(&mut written, self.slot);
        Ok(Reply::allow().extensions(serde_json::from_value(written)?))
    }
}

fn hop(subject: &str) -> Value {
    json!({"subject_id": subject, "subject_type": "user", "timestamp": "2026-01-01T00:00:00Z"})
}

fn given() -> Value {
    json!({
        "request": {"request_id": "given"},
        "provenance": {"source": "given"},
        "completion": {"model": "given"},
        "llm": {"model_id": "given"},
        "framework": {"framework": "given"},
        "mcp": {"tool": {"name": "given"}},
        "meta": {"scope": "given"},
        "agent": {"agent_id": "given"},
        "http": {"headers": {"accept": "given"}},
        "custom": {"key": "given"},
        "security": {
            "labels": ["given"],
            "classification": "given",
            "objects": {"given": {"managed_by": "given"}},
            "data": {"given": {"apply_labels": ["given"]}},
            "subject": {
                "id": "given", "type": "user", "roles": ["given"], "teams": ["given"],
                "claims": {"given": "given"}, "permissions": ["given"],
            },
        },
        "delegation": {"chain": [hop("given")], "depth": 1, "origin_subject_id": "given", "actor_subject_id": "given"},
    })
}

/// Another value for a slot; what may only grow, grows.
fn write(extensions: &mut Value, slot: Slot) {
    let names =
        |old: &Value| json!([old.as_array().cloned().unwrap_or_default(), vec![json!("new")]].concat());
    let delegation = |old: &Value| {
        let chain = [old["chain"].as_array().cloned().unwrap_or_default(), vec![hop("new")]].concat();
        let mut delegation = old.as_object().cloned().unwrap_or_default();
        delegation.insert("depth".to_owned(), chain.len().into());
        delegation.insert("chain".to_owned(), chain.into());
        Value::from(delegation)
    };
    let old = extensions.pointer(&pointer(slot)).cloned().unwrap_or_default();
    let new = match slot {
        Slot::Request => json!({"request_id": "new"}),
        Slot::Provenance => json!({"source": "new"}),
        Slot::Completion => json!({"model": "new"}),
        Slot::Llm => json!({"model_id": "new"}),
        Slot::Framework => json!({"framework": "new"}),
        Slot::Mcp => json!({"tool": {"name": "new"}}),
        Slot::Meta => json!({"scope": "new"}),
        Slot::Agent => json!({"agent_id": "new"}),
        Slot::Http => json!({"headers": {"accept": "new"}}),
        Slot::Custom => json!({"key": "new"}),
        Slot::Subject => json!({"id": "new", "type": "agent"}),
        Slot::SubjectClaims => json!({"new": "new"}),
        Slot::SubjectRoles | Slot::SubjectTeams | Slot::SubjectPermissions | Slot::Labels => names(&old),
        Slot::Objects => json!({"new": {}}),
        Slot::Data => json!({"new": {}}),
        Slot::Classification | Slot::DelegationOrigin => json!("new"),
        Slot::Delegation => delegation(&old),
    };
    let mut place = extensions;
    for name in slot.policy().path.split('.') {
        if !place.is_object() {
            *place = json!({"id": "new", "type": "agent"});
        }
        place = place.as_object_mut().unwrap().entry(name).or_insert(Value::Null);
    }
    *place = new;
}

fn pointer(slot: Slot) -> String {
    format!("/{}", slot.policy().path.replace('.', "/"))
}

/// What is in a slot and in no other; nothing and an empty collection are the same.
fn value(extensions: &Value, slot: Slot) -> Value {
    let found = extensions.pointer(&pointer(slot)).cloned().unwrap_or_default();
    let parts: &[&str] = match slot {
        Slot::Subject => &["roles", "teams", "claims", "permissions"],
        Slot::Delegation => &["origin_subject_id"],
        _ => &[],
    };
    match found {
        Value::Object(whole) => {
            let whole: Map<_, _> = whole.into_iter().filter(|(name, _)| !parts.contains(&&**name)).collect();
            if whole.is_empty() { Value::Null } else { whole.into() }
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        other => other,
    }
}

/// Nobody may write it, everybody may, or those with its capability may.
fn may_write(slot: Slot, rights: &[Capability]) -> bool {
    let policy = slot.policy();
    policy.tier == Tier::Mutable || policy.write.is_some_and(|needed| rights.contains(&needed))
}

async fn check(slot: Slot, rights: &[Capability]) {
    let seen = Arc::default();
    let writes = Writes { slot, seen: Arc::clone(&seen) };
    let entry = PluginConfig::new("writes").capabilities(rights.iter().copied());
    let manager = Manager::builder().plugin(entry, writes).start().await.unwrap();
    let given: Extensions = serde_json::from_value(given()).unwrap();
    let context = Context::new("1").extensions(given.clone());
    let outcome = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("t"), &context).await.unwrap();

    let json = |extensions: &Extensions| serde_json::to_value(extensions).unwrap();
    let (given, seen) = (json(&given), json(seen.lock().unwrap().as_ref().unwrap()));
    let visible = rights.iter().copied().collect::<Capabilities>().visible();
    for other in Slot::ALL {
        let expected = if visible.contains(other) { value(&given, other) } else { Value::Null };
        assert_eq!(value(&seen, other), expected, "{other:?} as {rights:?} are shown it");
    }

    let mut expected = given;
    let is_taken = may_write(slot, rights);
    if is_taken {
        write(&mut expected, slot);
        expected = json(&serde_json::from_value(expected).unwrap());
    }
    assert_eq!(outcome.extensions.is_some(), is_taken, "{slot:?} by {rights:?}");
    let left = outcome.extensions.as_deref().map_or_else(|| expected.clone(), json);
    for other in Slot::ALL {
        assert_eq!(value(&left, other), value(&expected, other), "{other:?} when {rights:?} write {slot:?}");
    }
    let refused = outcome.report.lines().next().unwrap().refused_extensions;
    assert_eq!(refused.is_empty(), is_taken, "{slot:?} by {rights:?}: {refused:?}");
    // Without the whole, a part of it is written with the whole.
    let names_it = |(path, _): &(&str, String)| slot.policy().path.starts_with(path);
    assert!(is_taken || refused.iter().any(names_it), "{slot:?} by {rights:?}: {refused:?}");
}

#[tokio::test]
async fn every_slot_is_shown_and_taken_as_the_table_says() {
    let all = Capability::ALL;
    let pairs =
        all.iter().enumerate().flat_map(|(i, one)| all[i + 1..].iter().map(|other| vec![*one, *other]));
    let singles = all.iter().map(|one| vec![*one]);
    for rights in pairs.chain(singles).chain([vec![], all.to_vec()]) {
        for slot in Slot::ALL {
            check(slot, &rights).await;
        }
    }
}
