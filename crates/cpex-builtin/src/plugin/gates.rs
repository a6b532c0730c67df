//! The plugins that look at a part of a payload and decide at once.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::builtin::Call;
use super::payload::Payload;
use super::reply::{Failure, Reply};
use crate::audit_log::{AuditLog, Record};
use crate::header_injector::HeaderInjector;

#[cfg(feature = "json_schema")]
pub(super) fn json_schema<P: Payload>(
    schema: &crate::json_schema::JsonSchema,
    call: &Call<'_, P>,
) -> Result<Reply<P>, P::Error> {
    use crate::json_schema::Side;
    use serde_json::Value;
    use std::borrow::Cow;

    let (side, field) = match call.site.result() {
        Some(field) => (Side::Results, Some(field)),
        None => (Side::Arguments, call.site.arguments()),
    };
    let subject = call.subject()?.unwrap_or_default();
    if !schema.concerns(side, &subject) {
        return Ok(Reply::allow());
    }
    let value = match call.payload.json(field)?.unwrap_or(Cow::Owned(Value::Null)) {
        // A call without arguments is one with none.
        value if value.is_null() && side == Side::Arguments => {
            Cow::Owned(Value::Object(serde_json::Map::new()))
        }
        value => value,
    };
    Ok(schema.check(side, &subject, &value).into())
}

#[cfg(feature = "policy")]
pub(super) fn policy<P: Payload>(
    policy: &crate::policy::Policy,
    call: &Call<'_, P>,
) -> Result<Reply<P>, P::Error> {
    use serde_json::{Value, json};
    use std::borrow::Cow;

    let payload = match policy.asks("payload") {
        true => call.payload.json(None)?.unwrap_or(Cow::Owned(Value::Null)),
        false => Cow::Owned(Value::Null),
    };
    let user = if policy.asks("user") { call.request.user()?.json() } else { Value::Null };
    let request = match policy.asks("request") {
        true => json!({
            "id": call.request.id()?,
            "tenant": call.request.tenant()?,
            "server": call.request.server()?,
        }),
        false => Value::Null,
    };
    let facts =
        crate::policy::Facts { payload: &payload, user: &user, request: &request, hook: call.site.hook() };
    Ok(policy.decide(&facts).into())
}

pub(super) fn inject<P: Payload>(
    injector: &HeaderInjector,
    call: &Call<'_, P>,
) -> Result<Reply<P>, P::Error> {
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    for name in injector.refers_to() {
        let value = match name {
            "request_id" => call.request.id()?.map(Into::into),
            "user" => call.user()?,
            "tenant_id" => call.request.tenant()?.map(Into::into),
            "server_id" => call.request.server()?.map(Into::into),
            _ => Some(call.site.hook().to_owned()),
        };
        known.extend(value.map(|value: String| (name, value)));
    }
    let headers = call.payload.headers(call.site)?.unwrap_or_default();
    let changed = injector.inject(&headers, |name| known.get(name).cloned());
    Ok(Reply::modify(changed.map(|headers| call.payload.with_headers(call.site, headers)).transpose()?))
}

pub(super) fn audit<P: Payload>(log: &AuditLog, call: &Call<'_, P>) -> Result<Reply<P>, Failure<P::Error>> {
    let payload = if log.includes_payload() { call.payload.json(None)? } else { None };
    let (id, user, tenant_id) = (call.request.id()?, call.user()?, call.request.tenant()?);
    let subject = call.subject()?;
    let record = Record {
        hook: call.site.hook(),
        request_id: id.as_deref().unwrap_or_default(),
        user: user.as_deref(),
        tenant_id: tenant_id.as_deref(),
        subject: subject.as_deref(),
        payload: payload.as_deref(),
    };
    log.write(record, SystemTime::now()).map_err(Failure::Audit)?;
    Ok(Reply::allow())
}
