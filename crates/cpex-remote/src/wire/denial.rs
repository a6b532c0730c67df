//! Denial metadata: the only part of a result that has typed fields on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::denial_metric::Value;
use super::{DenialMetadata, DenialMetric, PluginResultBase};
use crate::json::{InvalidJson, Json};

/// The member of a result that holds it.
pub(super) const MEMBER: &str = "denial_metadata";

/// The denial metadata in a result, if there is any. What is neither a flag nor a number is left out.
pub(super) fn of_result(result: &Json) -> Result<Option<PluginResultBase>, InvalidJson> {
    #[derive(Deserialize)]
    struct Result<'t> {
        #[serde(borrow)]
        denial_metadata: Option<BTreeMap<String, &'t RawValue>>,
    }
    let Some(metrics) = serde_json::from_str::<Result<'_>>(result.as_str())?.denial_metadata else {
        return Ok(None);
    };
    let fields = metrics
        .into_iter()
        .filter_map(|(name, value)| Some((name, DenialMetric { value: Some(metric(value.get())?) })))
        .collect();
    Ok(Some(PluginResultBase { denial_metadata: Some(DenialMetadata { fields }), ..Default::default() }))
}

/// Puts the denial metadata back into a result that has none.
pub(super) fn add_to(result: Json, metadata: &DenialMetadata) -> Result<Json, InvalidJson> {
    let members: BTreeMap<&str, Metric> =
        metadata.fields.iter().filter_map(|(name, metric)| Some((&**name, metric.value?.into()))).collect();
    let metadata = serde_json::to_string(&members)?;
    let mut text = result.into_string();
    text.truncate(text.len() - "}".len());
    let comma = if text.ends_with('{') { "" } else { "," };
    text.push_str(&format!("{comma}\"{MEMBER}\":{metadata}}}"));
    Ok(Json::trusted(text))
}

fn metric(text: &str) -> Option<Value> {
    match serde_json::from_str(text).ok()? {
        Metric::Flag(flag) => Some(Value::Boolean(flag)),
        Metric::Count(count) => Some(Value::Integer(count)),
        Metric::Measure(measure) => Some(Value::Floating(measure)),
    }
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Metric {
    Flag(bool),
    Count(i64),
    Measure(f64),
}

impl From<Value> for Metric {
    fn from(value: Value) -> Self {
        match value {
            Value::Boolean(flag) => Self::Flag(flag),
            Value::Integer(count) => Self::Count(count),
            Value::Floating(measure) => Self::Measure(measure),
        }
    }
}
